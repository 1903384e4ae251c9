"""The API itself: how soon a job is done, how many calls are answered, how lists page."""

from __future__ import annotations

import atexit
import http.client
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import numpy as np
from botocore.exceptions import BotoCoreError
from sklearn.datasets import load_digits

from benchmarks.case import Case, Suite
from benchmarks.endpoint import free_port
from clary.db.database import Database
from clary.db.resources import Resources
from clary.server.root import running

_CONNECTIONS, _CALLS = 8, 400
_STORED, _PAGE = 10_000, 100
_JOBS = 4
_START_SECONDS = 60
# The spare worker begins a little after the last one was taken, and has its imports to do
_SPARE_SECONDS = 5
_HEADERS = {
    "Content-Type": "application/x-amz-json-1.1",
    "Authorization": "AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/sagemaker/aws4_request, "
    "SignedHeaders=host, Signature=0",
}


def prepare(folder: Path) -> None:
    rows = folder / "rows"
    rows.mkdir()
    np.savetxt(rows / "digits.csv", load_digits().data, delimiter=",", fmt="%g")


def warm_job(folder: Path) -> dict[str, float]:
    """From CreateTrainingJob to Completed, asked with boto3; a spare worker waits."""
    port = _server(folder, stored=0)
    time.sleep(_SPARE_SECONDS)
    client, name = _client(port), f"job-{time.time_ns()}"
    begun = time.perf_counter()
    client.create_training_job(**_job(name))
    while (status := _status(client, name)) == "InProgress":
        time.sleep(0.005)
    seconds = time.perf_counter() - begun
    if status != "Completed":
        raise RuntimeError(f"the job is {status}")
    return {"seconds": seconds}


def describe(folder: Path) -> dict[str, float]:
    return _described(_server(folder, stored=1))


def describe_beside_jobs(folder: Path) -> dict[str, float]:
    """As many jobs as there are places train meanwhile."""
    port = _server(folder, stored=1)
    with _training(_client(port)):
        return _described(port)


def describe_at_moto(folder: Path) -> dict[str, float]:
    return _described(_moto())


def listing(folder: Path) -> dict[str, float]:
    """All pages; the last one's time over the first one's as `quality`."""
    pages = _client(_server(folder, _STORED)).get_paginator("list_training_jobs")
    times, count, begun = [], 0, time.perf_counter()
    for page in pages.paginate(PaginationConfig={"PageSize": _PAGE}):
        count += len(page["TrainingJobSummaries"])
        times.append(time.perf_counter())
    if count < _STORED:
        raise RuntimeError(f"{count} jobs of {_STORED} were listed")
    steps = np.diff([begun, *times])
    return {
        "seconds": times[-1] - begun,
        "quality": float(np.median(steps[-10:]) / np.median(steps[1:11])),
    }


def _described(port: int) -> dict[str, float]:
    """So many DescribeTrainingJob calls over eight connections that stay open."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        list(pool.map(_ask, [port] * _CONNECTIONS))
    return {"seconds": time.perf_counter() - begun}


def _ask(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = json.dumps({"TrainingJobName": "stored-0"})
    headers = {**_HEADERS, "X-Amz-Target": "SageMaker.DescribeTrainingJob"}
    for _ in range(_CALLS):
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise RuntimeError(told)
    connection.close()


@cache
def _server(folder: Path, stored: int) -> int:
    """The port of a server with so many finished jobs; it lives as long as this process."""
    root = folder / f"root-{stored}-{time.time_ns()}"
    shutil.copytree(folder / "rows", root / "s3" / "data" / "train")
    _store(root, stored)
    command = [str(Path(sys.executable).parent / "clary"), "up", "--port", "0", "--root", str(root)]
    _start(command)
    deadline = time.monotonic() + _START_SECONDS
    while (facts := running(root)) is None:
        if time.monotonic() > deadline:
            raise RuntimeError("the server does not start")
        time.sleep(0.05)
    return facts.port


def _store(root: Path, count: int) -> None:
    database = Database(root / "clary.db")
    resources = Resources(database)
    for number in range(count):
        name = f"stored-{number}"
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name}"
        times = {"TrainingStartTime": 1.0, "TrainingEndTime": 2.0, "SecondaryStatus": "Completed"}
        request = _job(name)
        resources.create("training-job", name, arn, request, status="Completed", state=times)
    database.close()


@cache
def _moto() -> int:
    """The port of moto's server with one job."""
    port = free_port()
    _start([sys.executable, "-m", "moto.server", "-p", str(port)])
    client = _client(port)
    _until(lambda: bool(client.list_training_jobs()))
    client.create_training_job(**_job("stored-0"))
    return port


def _start(command: list[str]) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(process.terminate)


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if is_so():
                return
        except BotoCoreError:
            # The server does not listen yet
            pass
        if time.monotonic() > deadline:
            raise RuntimeError("what was waited for does not come")
        time.sleep(0.1)


@contextmanager
def _training(client: Any) -> Iterator[None]:
    names = [f"long-{time.time_ns()}" for _ in range(_JOBS)]
    for name in names:
        client.create_training_job(**_job(name, epochs="1000000"))
    _until(lambda: all(_secondary(client, name) == "Training" for name in names))
    try:
        yield
    finally:
        for name in names:
            client.stop_training_job(TrainingJobName=name)
        _until(lambda: all(_status(client, name) == "Stopped" for name in names))


def _status(client: Any, name: str) -> str:
    return str(client.describe_training_job(TrainingJobName=name)["TrainingJobStatus"])


def _secondary(client: Any, name: str) -> str:
    return str(client.describe_training_job(TrainingJobName=name)["SecondaryStatus"])


def _client(port: int) -> Any:
    return boto3.client(
        "sagemaker",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",
    )


def _job(name: str, epochs: str = "1") -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/"}
    return {
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::123456789012:role/benchmark",
        "AlgorithmSpecification": {
            "TrainingImage": "382416733822.dkr.ecr.us-east-1.amazonaws.com/kmeans:1",
            "TrainingInputMode": "File",
        },
        "HyperParameters": {"k": "10", "feature_dim": "64", "epochs": epochs},
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "ContentType": "text/csv",
                "DataSource": {"S3DataSource": source},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://data/out"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large",
            "InstanceCount": 1,
            "VolumeSizeInGB": 1,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }


_CALLED = float(_CONNECTIONS * _CALLS)
_NOBODY = "no other server of this API computes"

SUITE = Suite(
    "Control plane",
    "`clary up` on loopback. A training job of k-means on 1,797 digits, from CreateTrainingJob to "
    "Completed, asked with boto3 while a spare worker waits. 3,200 DescribeTrainingJob over 8 "
    "connections, by a client in Python on the same processors, against moto's server. 10,000 "
    "stored jobs listed with boto3 in pages of 100; the ratio is the last ten pages' time to the "
    "first ten's.",
    (
        Case(
            "create_training_job to Completed, warm",
            prepare,
            warm_job,
            None,
            "SageMaker took 283–324 s",
            floor=5.0,
            goal=1.0,
            measure="seconds",
        ),
        Case(
            "DescribeTrainingJob",
            prepare,
            describe,
            describe_at_moto,
            "moto server",
            amount=_CALLED,
            unit="calls",
            floor=1000.0,
            measure="speed",
        ),
        Case(
            "DescribeTrainingJob while 4 jobs train",
            prepare,
            describe_beside_jobs,
            None,
            _NOBODY,
            amount=_CALLED,
            unit="calls",
            floor=1000.0,
            measure="speed",
        ),
        Case(
            "ListTrainingJobs, 10,000 jobs in pages",
            prepare,
            listing,
            None,
            _NOBODY,
            "last pages / first",
            float(_STORED),
            "jobs",
            measure="speed",
        ),
    ),
)
