"""Models and endpoints for the tests of invocations."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from botocore.exceptions import ClientError
from sklearn.datasets import load_breast_cancer

from clary.codecs.batch import Batch
from clary.data.sources import Source
from clary.kit.model import Model
from clary.runtime.launch import Training, launch
from clary.runtime.models import load_model
from tests.servers import ROLE, Server

REGISTRY = "382416733822.dkr.ecr.us-east-1.amazonaws.com"
_SECONDS = 60
# Names are used once, whoever makes them
_NUMBERS = itertools.count(1)
_BUSY = {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}


@dataclass(frozen=True)
class Archive:
    """A trained model in the bucket, and the rows it was trained on."""

    model: Model
    image: str
    uri: str
    rows: np.ndarray[Any, Any]

    def score(self, row: int = 0) -> float:
        return float(self.model.predict(Batch(np.float32(self.rows[row : row + 1])))["score"][0])

    def csv(self, row: int = 0) -> bytes:
        return (",".join(f"{value:g}" for value in np.float32(self.rows[row])) + "\n").encode()


def trained(
    server: Server,
    algorithm: str,
    name: str,
    scratch: Path,
    columns: int = 30,
    **hyperparameters: str,
) -> Archive:
    """A model of the tumors' first columns, put into the bucket as a user would."""
    rows, labels = load_breast_cancer(return_X_y=True)
    rows = np.round(rows[:, :columns], 3)
    table = np.column_stack([labels, rows])
    np.savetxt(scratch / f"{name}.csv", table, fmt="%g", delimiter=",")
    source = Source("train", str(scratch / f"{name}.csv"))
    done = launch(Training(algorithm, hyperparameters, [source], scratch / name))
    target = server.bucket / "models" / f"{name}.tar.gz"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(done.model.read_bytes())
    uri = f"s3://data/models/{name}.tar.gz"
    return Archive(load_model(done.model), f"{REGISTRY}/{algorithm}:1", uri, rows)


class Account:
    """What a user does to have an endpoint, with names of its own."""

    def __init__(self, server: Server, prefix: str) -> None:
        self.sagemaker = server.client("sagemaker")
        self.runtime = server.client("sagemaker-runtime")
        self.prefix = prefix

    def name(self, what: str) -> str:
        return f"{self.prefix}-{what}-{next(_NUMBERS)}"

    def model(self, *containers: Mapping[str, Any], **members: Any) -> str:
        name = self.name("model")
        given = {"PrimaryContainer": containers[0]} if len(containers) == 1 else {}
        if len(containers) > 1:
            given = {"Containers": list(containers)}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, **given, **members)
        return name

    def config(self, *variants: Mapping[str, Any], **members: Any) -> str:
        name = self.name("config")
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=list(variants), **members
        )
        return name

    def endpoint(self, config: str) -> str:
        """An endpoint that is in service."""
        name = self.name("endpoint")
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        described = self.settled(name)
        assert described["EndpointStatus"] == "InService", described
        return name

    def clear(self) -> None:
        """Delete the endpoints, whose processes take memory."""
        listed = self.sagemaker.list_endpoints(NameContains=f"{self.prefix}-", MaxResults=100)
        for each in listed["Endpoints"]:
            with suppress(ClientError):
                self.settled(each["EndpointName"])
                self.sagemaker.delete_endpoint(EndpointName=each["EndpointName"])

    def deployed(self, archive: Archive) -> str:
        return self.endpoint(self.config(variant(self.model(container(archive)))))

    def settled(self, name: str) -> dict[str, Any]:
        """The description of an endpoint with which nothing happens any more."""
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            described: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
            if described["EndpointStatus"] not in _BUSY:
                return described
            time.sleep(0.02)
        raise AssertionError(f"{name} does not settle: {described}")

    def invoked(self, name: str, body: bytes, **members: Any) -> dict[str, Any]:
        """The answer with its body read, which is text."""
        given = {"ContentType": "text/csv", **members}
        answer: dict[str, Any] = self.runtime.invoke_endpoint(EndpointName=name, Body=body, **given)
        return {**answer, "Body": answer["Body"].read().decode()}

    def score(self, name: str, body: bytes, **members: Any) -> float:
        """The score of the one row asked: of XGBoost a number, else in an object."""
        told = json.loads(self.invoked(name, body, **members)["Body"])
        return float(told if isinstance(told, float) else told["predictions"][0]["score"])


def container(archive: Archive, **members: Any) -> dict[str, Any]:
    return {"Image": archive.image, "ModelDataUrl": archive.uri, **members}


def variant(model: str, name: str = "AllTraffic", **members: Any) -> dict[str, Any]:
    given = {"InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    if "ServerlessConfig" in members:
        given = {}
    return {"VariantName": name, "ModelName": model, **given, **members}


def messages(server: Server, group: str) -> Sequence[str]:
    """All lines of a log group."""
    logs = server.client("logs")
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    found: list[str] = []
    for stream in streams:
        events = logs.get_log_events(
            logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
        )
        found += [event["message"] for event in events["events"]]
    return found


def model_processes(server: Server, name: str) -> list[int]:
    """The processes whose folder is below the endpoint's."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            held = [str(each.readlink()) for each in (folder / "fd").iterdir()]
        except OSError:
            continue
        place = str(server.root / "jobs" / "endpoint" / name) + "/"
        if any(one.startswith(place) and one.endswith("/lock") for one in held):
            found.append(int(folder.name))
    return found
