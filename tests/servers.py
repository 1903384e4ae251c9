"""A server of its own for tests: `clary up` as a process, and clients for it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from clary.server.root import ServerFacts, running

_START_SECONDS = 60
_JOB_SECONDS = 90
ROLE = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"


@dataclass
class Server:
    """A running server; `root` may be served again after its end."""

    root: Path
    process: subprocess.Popen[str]
    facts: ServerFacts
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def bucket(self) -> Path:
        """The folder of the bucket `data`, which is always there."""
        return self.root / "s3" / "data"

    def client(self, service: str, **settings: Any) -> Any:
        """A boto3 client of the server, without retries so that tests see every answer."""
        given: dict[str, Any] = {
            "endpoint_url": self.facts.url,
            "region_name": "us-east-1",
            "aws_access_key_id": "clary",
            "aws_secret_access_key": "clary",
            "config": Config(retries={"max_attempts": 0}, read_timeout=70),
        }
        return boto3.client(service, **{**given, **settings})

    def log(self) -> str:
        return (self.root / "server.log").read_text()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the server; its exit code."""
        self.process.send_signal(how)
        return self.process.wait(30)


@contextmanager
def served(
    root: Path, *arguments: str, limit: tuple[int, int] | None = None, **environment: str
) -> Iterator[Server]:
    """A server on a free port, with a root that holds a bucket `data`.

    limit: one of the system's limits (`resource.RLIMIT_…`) for the server and all it starts.
    """
    (root / "s3" / "data").mkdir(parents=True, exist_ok=True)
    server = start(root, *arguments, limit=limit, **environment)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end()


def start(
    root: Path, *arguments: str, limit: tuple[int, int] | None = None, **environment: str
) -> Server:
    """Start a server, which must be ended, and wait until it is ready."""
    with (root / "server.log").open("a") as log:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).parent / "clary"),
                "up",
                "--root",
                str(root),
                "--port",
                "0",
                *arguments,
            ],
            env={**os.environ, **environment},
            preexec_fn=partial(resource.setrlimit, limit[0], (limit[1], limit[1]))
            if limit
            else None,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            text=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        facts = running(root)
        if facts and facts.pid == process.pid:
            return Server(root, process, facts, environment)
        if process.poll() is not None:
            break
        time.sleep(0.02)
    process.kill()
    raise AssertionError(f"the server did not start: {(root / 'server.log').read_text()}")


def training_request(name: str, image: str, **changed: Any) -> dict[str, Any]:
    """A CreateTrainingJob of `s3://data/train/` that writes below `s3://data/out`."""
    request: dict[str, Any] = {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {
            "TrainingImage": f"382416733822.dkr.ecr.us-east-1.amazonaws.com/{image}:1",
            "TrainingInputMode": "File",
        },
        "InputDataConfig": [channel("train")],
        "OutputDataConfig": {"S3OutputPath": "s3://data/out"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large",
            "InstanceCount": 1,
            "VolumeSizeInGB": 10,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    return {**request, **changed}


def channel(name: str, prefix: str = "", content_type: str = "text/csv") -> dict[str, Any]:
    return {
        "ChannelName": name,
        "ContentType": content_type,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": f"s3://data/{prefix or name + '/'}",
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


def finished(client: Any, name: str, seconds: float = _JOB_SECONDS) -> dict[str, Any]:
    """The description of a training job once it has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        job: dict[str, Any] = client.describe_training_job(TrainingJobName=name)
        if job["TrainingJobStatus"] in {"Completed", "Failed", "Stopped"}:
            return job
        time.sleep(0.05)
    raise AssertionError(f"{name} did not end: {job}")
