"""Transform jobs that are stopped, or whose worker or server dies."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path
from uuid import uuid4

import pytest

from tests.server.endpoints import Account, Archive, container
from tests.server.transforms import (
    ended,
    long_work,
    outputs,
    predicted,
    request,
    transform_worker,
    wait_for_output,
)
from tests.servers import Server, served, start


@pytest.fixture(scope="module")
def account(server: Server) -> Account:
    return Account(server, "transforms")


@pytest.fixture(scope="module")
def model(account: Account, trees: Archive) -> str:
    return account.model(container(trees))


@pytest.fixture
def folder(server: Server) -> Path:
    """A folder of the bucket for this test's objects."""
    path = server.bucket / f"transform-{uuid4().hex[:8]}"
    (path / "in").mkdir(parents=True)
    return path


def test_a_stopped_job_leaves_no_output(
    account: Account, model: str, folder: Path, trees: Archive
) -> None:
    long_work(folder, trees.rows, objects=20)
    asked = request(model, folder, BatchStrategy="SingleRecord")
    account.sagemaker.create_transform_job(**asked)
    wait_for_output(folder)
    account.sagemaker.stop_transform_job(TransformJobName=asked["TransformJobName"])
    job = ended(account, asked["TransformJobName"])
    assert job["TransformJobStatus"] == "Stopped"
    assert outputs(folder) == {}


def test_a_killed_worker_fails_its_job_with_the_reason(
    account: Account, server: Server, model: str, folder: Path, trees: Archive
) -> None:
    long_work(folder, trees.rows, objects=20)
    asked = request(model, folder, BatchStrategy="SingleRecord")
    account.sagemaker.create_transform_job(**asked)
    wait_for_output(folder)
    os.kill(transform_worker(server, asked["TransformJobName"]), signal.SIGKILL)
    job = ended(account, asked["TransformJobName"])
    assert job["TransformJobStatus"] == "Failed"
    assert "was ended by signal SIGKILL" in job["FailureReason"]
    told = re.search(r"The outputs of (\d+) objects were written\.$", job["FailureReason"])
    # One that was put there at the last moment may not be noted
    assert told
    assert len(outputs(folder)) - int(told[1]) in {0, 1}


def test_a_job_goes_on_after_the_server_s_death(
    tmp_path: Path, server: Server, trees: Archive
) -> None:
    root = tmp_path / "root"
    shutil.copytree(server.bucket / "models", root / "s3" / "data" / "models")
    with served(root) as server:
        account = Account(server, "restart")
        model = account.model(container(trees))
        folder = server.bucket / "restarted"
        (folder / "in").mkdir(parents=True)
        body = long_work(folder, trees.rows, objects=6)
        asked = request(model, folder, BatchStrategy="SingleRecord")
        account.sagemaker.create_transform_job(**asked)
        wait_for_output(folder)
        server.end(signal.SIGKILL)
        before = {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    again = start(root)
    try:
        job = ended(Account(again, "restart"), asked["TransformJobName"])
    finally:
        again.end()
    assert job["TransformJobStatus"] == "Completed"
    expected = predicted(trees, body)
    assert outputs(folder) == {f"{number}.csv.out": expected for number in range(6)}
    # What was written before is not written again, but for one whose note was lost with the worker
    rewritten = [path for path, time in before.items() if path.stat().st_mtime_ns != time]
    assert len(rewritten) <= 1
