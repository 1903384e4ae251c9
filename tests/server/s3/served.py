"""The object store as a process of its own, and real clients for it."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

_START_SECONDS = 60


@dataclass(frozen=True)
class Store:
    """A running store; `folder` is that of the bucket `data`."""

    root: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def folder(self) -> Path:
        return self.root / "data"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **config: Any) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="clary",
            aws_secret_access_key="clary",
            config=Config(retries={"total_max_attempts": 1}, **config),
        )

    def ask(
        self, method: str, target: str, body: bytes = b"", **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """A request as it is, whatever a client would make of it; status, body, headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, body, named)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        found = answer.status, answer.read(), told
        connection.close()
        return found

    def peak_bytes(self) -> int:
        """The most memory that the process had."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@contextmanager
def serving(root: Path) -> Iterator[Store]:
    """A store with a bucket `data`."""
    (root / "data").mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.server.s3", str(root), str(port)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3])
    try:
        _wait_for(port, process)
        yield Store(root, port, process)
    finally:
        process.kill()
        process.wait()


def refused(call: Any, **arguments: Any) -> dict[str, Any]:
    """The error that a call is answered with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error: dict[str, Any] = dict(caught.value.response["Error"])
    return error


def keys(client: Any, **arguments: Any) -> list[str]:
    """All keys that a paginated listing tells."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="data", **arguments)
    return [each["Key"] for page in pages for each in page.get("Contents", [])]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the store did not start")
