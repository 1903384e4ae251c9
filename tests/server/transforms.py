"""What tests of transform jobs share."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from botocore.exceptions import ClientError

from clary.runtime.negotiate import answer
from clary.settings import Serving, serving
from tests.server.endpoints import Account, Archive
from tests.servers import Server

_SECONDS = 60
LOG_GROUP = "/aws/sagemaker/TransformJobs"


def text(rows: Any) -> bytes:
    out = io.BytesIO()
    np.savetxt(out, rows, fmt="%g", delimiter=",")
    return out.getvalue()


def uri(path: Path) -> str:
    return f"s3://data/{path.name}"


def request(model: str, folder: Path, **changed: Any) -> dict[str, Any]:
    """A CreateTransformJob of lines of CSV, from `in/` of the folder to its `out/`."""
    return {
        "TransformJobName": f"transform-{uuid4().hex[:8]}",
        "ModelName": model,
        "TransformInput": source(folder),
        "TransformOutput": {"S3OutputPath": f"{uri(folder)}/out", "Accept": "text/csv"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **changed,
    }


def source(folder: Path, **changed: Any) -> dict[str, Any]:
    location = {"S3DataType": "S3Prefix", "S3Uri": f"{uri(folder)}/in"}
    given = {"ContentType": "text/csv", "SplitType": "Line", **changed}
    return {"DataSource": {"S3DataSource": location}, **given}


def ended(account: Account, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        job: dict[str, Any] = account.sagemaker.describe_transform_job(TransformJobName=name)
        if job["TransformJobStatus"] in {"Completed", "Failed", "Stopped"}:
            return job
        time.sleep(0.05)
    raise AssertionError(f"{name} did not end: {job}")


def transformed(account: Account, asked: dict[str, Any]) -> dict[str, Any]:
    account.sagemaker.create_transform_job(**asked)
    return ended(account, asked["TransformJobName"])


def outputs(folder: Path) -> dict[str, bytes]:
    out = folder / "out"
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def batch_serving() -> Serving:
    return Serving(**{**serving().__dict__, "batch": True})


def predicted(archive: Archive, body: bytes, accept: str = "text/csv") -> bytes:
    """What the model answers to all rows at once."""
    return answer(archive.model, body, "text/csv", accept, batch_serving())[0]


def refused(account: Account, asked: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        account.sagemaker.create_transform_job(**asked)
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def long_work(folder: Path, rows: Any, objects: int = 4) -> bytes:
    """Objects of many rows, which are sent one by one; what one of them holds."""
    body = text(rows[:400]) * 5
    for number in range(objects):
        (folder / "in" / f"{number}.csv").write_bytes(body)
    return body


def wait_for_output(folder: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while not outputs(folder):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def transform_worker(server: Server, name: str) -> int:
    """The process that works in a job's folder."""
    folder = server.root / "jobs" / "transform-job" / name
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                opened = [one.readlink() for one in (entry / "fd").iterdir()]
            except OSError:
                continue
            if any(path.parent.parent == folder and path.name == "lock" for path in opened):
                return int(entry.name)
    raise AssertionError(f"nobody works for {name}")
