"""Model servers for the tests: real ones as processes, and one in a thread for what needs a
hand inside.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from clary.runtime.endpoint import Endpoint
from clary.runtime.serve import bound, configuration

START_SECONDS = 60


@dataclass(frozen=True)
class Reply:
    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Server:
    """A server that listens on a port of the loopback."""

    port: int
    process: subprocess.Popen[bytes] | None = None
    log: Path | None = None

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def get(self, path: str) -> Reply:
        return self.request("GET", path)

    def invoke(
        self,
        body: bytes | Iterable[bytes],
        content_type: str | None = None,
        accept: str | None = None,
        **headers: str,
    ) -> Reply:
        """One POST to /invocations; an iterable is sent in chunks."""
        given = {"Content-Type": content_type, "Accept": accept, **headers}
        named = {name: value for name, value in given.items() if value is not None}
        return self.request("POST", "/invocations", body, named)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        connection = self.connect()
        try:
            connection.request(method, path, body, dict(headers or {}))
            return reply_of(connection)
        except TimeoutError:
            raise AssertionError(f"no answer:\n{self._last_words()}") from None
        finally:
            connection.close()

    def _last_words(self) -> str:
        """What all threads of a process that hangs are at; it ends with this."""
        if self.process is None or self.log is None:
            return ""
        self.process.send_signal(signal.SIGABRT)
        self.process.wait(timeout=10)
        return self.log.read_text()[-8000:]

    @property
    def resident_bytes(self) -> int:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024


def reply_of(connection: http.client.HTTPConnection) -> Reply:
    answer = connection.getresponse()
    body = answer.read()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Reply(answer.status, headers.get("content-type", ""), body, headers)


@contextmanager
def model_server(root: Path, **environment: str) -> Iterator[Server]:
    """`serve` as a container would start it: the model in `root`/model, a free port."""
    log = root / "serve.log"
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "clary.runtime.serve"],
        env={
            **os.environ,
            "CLARY_ML_ROOT": str(root),
            "SAGEMAKER_BIND_TO_PORT": "0",
            **environment,
        },
        stdout=subprocess.DEVNULL,
        stderr=log.open("wb"),
    )
    try:
        yield Server(_port(process, log), process, log)
    finally:
        process.kill()
        process.wait()


@contextmanager
def thread_server(endpoint: Endpoint) -> Iterator[Server]:
    """An endpoint in this process, on a real socket."""
    listener = bound("127.0.0.1", 0)
    server = uvicorn.Server(configuration(endpoint))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield Server(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(timeout=30)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r" ready: .*:(\d+)$", log.read_text(), re.MULTILINE):
            return int(found[1])
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")
