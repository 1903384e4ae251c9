"""boto3 against the server's object store, and against rclone over a folder as plain as ours."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from benchmarks.case import Case, Side, Suite
from benchmarks.endpoint import answers, free_port, peak_bytes_of

_MIB = 1 << 20
_SMALL_BYTES, _PUTS, _GETS = 4096, 20, 100
_LARGE_MIB = 64
_LISTED = 10_000
_START_SECONDS = 60
_BIN = Path(sys.executable).parent
_PARTS = TransferConfig(multipart_threshold=8 * _MIB, multipart_chunksize=8 * _MIB)


def prepare(folder: Path) -> None:
    """For each side the buckets `small`, `large` and `listed`, so that none slows the others."""
    (folder / "upload").write_bytes(os.urandom(_LARGE_MIB * _MIB))
    for root in (folder / "ours" / "s3", folder / "peer"):
        for bucket in ("small", "large", "listed"):
            (root / bucket).mkdir(parents=True)
        (root / "small" / "one").write_bytes(os.urandom(_SMALL_BYTES))
        shutil.copyfile(folder / "upload", root / "large" / "one")


def prepare_listing(folder: Path) -> None:
    prepare(folder)
    for root in (folder / "ours" / "s3", folder / "peer"):
        for number in range(_LISTED):
            (root / "listed" / f"{number:05d}.csv").write_text(str(number))


def small_puts(s3: Any, folder: Path) -> None:
    for number in range(_PUTS):
        s3.put_object(Bucket="small", Key=f"put/{number}", Body=bytes(_SMALL_BYTES))


def small_gets(s3: Any, folder: Path) -> None:
    for _ in range(_GETS):
        s3.get_object(Bucket="small", Key="one")["Body"].read()


def upload(s3: Any, folder: Path) -> None:
    s3.upload_file(str(folder / "upload"), "large", "uploaded", Config=_PARTS)


def download(s3: Any, folder: Path) -> None:
    s3.download_file("large", "one", str(folder / f"down-{os.getpid()}"), Config=_PARTS)


def listing(s3: Any, folder: Path) -> None:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="listed")
    if sum(page["KeyCount"] for page in pages) != _LISTED:
        raise RuntimeError("the listing is not whole")


def _ours(folder: Path, work: Callable[[Any, Path], None]) -> dict[str, float]:
    """`clary up`."""
    port, process = _server_of_ours(folder)
    return _timed(port, process, folder, work)


def _peer(folder: Path, work: Callable[[Any, Path], None]) -> dict[str, float]:
    """`rclone serve s3`."""
    port, process = _server_of_peer(folder)
    return _timed(port, process, folder, work)


def _timed(
    port: int, process: int, folder: Path, work: Callable[[Any, Path], None]
) -> dict[str, float]:
    """The time of the client's work; memory is the server's."""
    started = time.perf_counter()
    work(_client(port), folder)
    return {"seconds": time.perf_counter() - started, "peak_bytes": peak_bytes_of(process)}


@cache
def _server_of_ours(folder: Path) -> tuple[int, int]:
    port = free_port()
    root = str(folder / "ours")
    return port, _started([str(_BIN / "clary"), "up", "--root", root, "--port", str(port)], port)


@cache
def _server_of_peer(folder: Path) -> tuple[int, int]:
    port = free_port()
    command = [
        *(str(_BIN / "rclone"), "serve", "s3", str(folder / "peer")),
        *("--addr", f"127.0.0.1:{port}", "--auth-key", "clary,clary"),
        *("--dir-cache-time", "0s", "--config", "/dev/null"),
    ]
    return port, _started(command, port)


def _started(command: list[str], port: int) -> int:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(_end, process)
    deadline = time.monotonic() + _START_SECONDS
    while not answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{' '.join(command)} does not answer")
        time.sleep(0.05)
    return process.pid


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()


@cache
def _client(port: int) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="clary",
        aws_secret_access_key="clary",
        config=Config(s3={"addressing_style": "path"}, read_timeout=300),
    )


def _case(
    name: str,
    work: Callable[[Any, Path], None],
    amount: float,
    unit: str,
) -> Case:
    ours: Side = partial(_ours, work=work)
    peer: Side = partial(_peer, work=work)
    return Case(name, prepare, ours, peer, "rclone serve s3", amount=amount, unit=unit, floor=1.0)


SUITE = Suite(
    "Object store",
    "boto3 over loopback, both servers over a folder whose objects are plain files. Ours syncs "
    "objects to the disk before it answers and checks the checksums sent; rclone does neither. "
    "Memory is the server's.",
    (
        _case("put of 4 KiB", small_puts, _PUTS, "objects"),
        _case("get of 4 KiB", small_gets, _GETS, "objects"),
        _case(f"upload of {_LARGE_MIB} MiB in parts", upload, _LARGE_MIB, "MiB"),
        _case(f"download of {_LARGE_MIB} MiB", download, _LARGE_MIB, "MiB"),
        replace(
            _case("listing of 10,000 keys", listing, _LISTED, "keys"),
            prepare=prepare_listing,
            once=True,
        ),
    ),
)
