"""What tests of training jobs share."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.servers import Server, finished, training_request

K_MEANS = {"k": "10", "feature_dim": "64"}
# Reads the data so often that it can be stopped in the middle
LONG = {**K_MEANS, "epochs": "1000000"}


def name_of(test: str) -> str:
    return f"{test}-{uuid4().hex[:8]}"


def trained(server: Server, image: str, hyperparameters: dict[str, str], **changed: Any) -> Any:
    name = name_of(image)
    client = server.client("sagemaker")
    request = training_request(name, image, HyperParameters=hyperparameters, **changed)
    client.create_training_job(**request)
    return finished(client, name)


def artifact(server: Server, job: dict[str, Any]) -> Path:
    return server.root / "s3" / job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://")


def refused(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def until_training(client: Any, name: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = client.describe_training_job(TrainingJobName=name)
        if job["SecondaryStatus"] == "Training":
            return
        assert job["TrainingJobStatus"] == "InProgress", job
        time.sleep(0.02)
    raise AssertionError("it does not train")
