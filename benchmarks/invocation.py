"""InvokeEndpoint through the server, and how soon an endpoint is in service."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import numpy as np

from benchmarks.case import Case, Suite
from benchmarks.endpoint import ask, connected, prepare
from clary.server.root import running

_REQUESTS, _WARM = 2000, 300
_PER_SECOND, _SECONDS = 200, 5
_START_SECONDS = 60
# The spare worker begins a little after the last one was taken, and has its imports to do
_SPARE_SECONDS = 6
_IMAGE = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
_ROLE = "arn:aws:iam::123456789012:role/benchmark"


def one_after_the_other(folder: Path) -> dict[str, float]:
    """The median round trip as `seconds`, the 99th percentile in ms as `quality`."""
    with _endpoint(folder) as (port, _), connected(port) as client:
        request = _request(folder)
        for _ in range(_WARM):
            ask(client, request)
        trips = [ask(client, request) for _ in range(_REQUESTS)]
    return _told(trips)


def at_a_rate(folder: Path) -> dict[str, float]:
    """Each request at its time, whatever the ones before took: a late answer counts as late."""
    with _endpoint(folder) as (port, _), connected(port) as client:
        request = _request(folder)
        for _ in range(_WARM):
            ask(client, request)
        begun = time.perf_counter()
        trips = []
        for number in range(_PER_SECOND * _SECONDS):
            due = begun + number / _PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            ask(client, request)
            trips.append(time.perf_counter() - due)
    return _told(trips)


def creation(folder: Path) -> dict[str, float]:
    """From CreateEndpoint to InService, its models' process warm."""
    with _endpoint(folder) as (_, seconds):
        return {"seconds": seconds}


def _told(trips: list[float]) -> dict[str, float]:
    return {
        "seconds": float(np.percentile(trips, 50)),
        "quality": 1000 * float(np.percentile(trips, 99)),
    }


def _request(folder: Path) -> bytes:
    body = (folder / "row.csv").read_bytes()
    head = "POST /endpoints/bench/invocations HTTP/1.1\r\nHost: localhost\r\n"
    head += "Content-Type: text/csv\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def _endpoint(folder: Path) -> Iterator[tuple[int, float]]:
    """A server with one endpoint: its port, and the seconds until the endpoint was in service."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        root = Path(scratch)
        (root / "s3/data").mkdir(parents=True)
        archive = folder / "output/model.tar.gz"
        (root / "s3/data/model.tar.gz").write_bytes(archive.read_bytes())
        command = [str(Path(sys.executable).parent / "clary"), "up", "--port", "0"]
        process = subprocess.Popen(
            [*command, "--root", str(root)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            port = _port(root)
            time.sleep(_SPARE_SECONDS)
            yield port, _created(port)
        finally:
            process.terminate()
            process.wait()


def _port(root: Path) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while (facts := running(root)) is None:
        if time.monotonic() > deadline:
            raise RuntimeError("the server does not start")
        time.sleep(0.05)
    return facts.port


def _created(port: int) -> float:
    client: Any = boto3.client(
        "sagemaker",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",
    )
    container = {"Image": _IMAGE, "ModelDataUrl": "s3://data/model.tar.gz"}
    client.create_model(ModelName="bench", ExecutionRoleArn=_ROLE, PrimaryContainer=container)
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": "bench",
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    client.create_endpoint_config(EndpointConfigName="bench", ProductionVariants=[variant])
    begun = time.perf_counter()
    client.create_endpoint(EndpointName="bench", EndpointConfigName="bench")
    while True:
        status = client.describe_endpoint(EndpointName="bench")["EndpointStatus"]
        if status == "InService":
            return time.perf_counter() - begun
        if status != "Creating":
            raise RuntimeError(f"the endpoint is {status}")
        time.sleep(0.005)


def _case(name: str, side: Any, floor: float, goal: float, quality: str = "") -> Case:
    return Case(
        name,
        partial(prepare, algorithm="linear-learner"),
        side,
        None,
        "no other server of this API runs a model",
        quality,
        1,
        "requests",
        floor=floor,
        goal=goal,
        measure="seconds",
    )


SUITE = Suite(
    "Invocations",
    "A row of 30 features as CSV to InvokeEndpoint of `clary up` and the linear learner's answer "
    "in JSON, over loopback on a connection that stays open: 2,000 requests one after the other, "
    "and 200 a second for 5 s; seconds are the median of a round trip. Creation is from "
    "CreateEndpoint to InService, asked with boto3.",
    (
        _case("InvokeEndpoint, one after the other", one_after_the_other, 0.003, 0.0015, "p99 ms"),
        _case("InvokeEndpoint, 200 a second", at_a_rate, 0.003, 0.0015, "p99 ms"),
        _case("CreateEndpoint to InService", creation, 1.0, 0.5),
    ),
)
