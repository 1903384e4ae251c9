"""Servers killed at random instants while transform jobs run: no job lost, no output half."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.server.endpoints import Account, Archive, container
from tests.server.transforms import (
    ended,
    long_work,
    outputs,
    predicted,
    request,
)
from tests.servers import Server, served, start

ROUNDS = 12


@pytest.mark.slow
def test_jobs_outlive_kills_of_the_server(tmp_path: Path, server: Server, trees: Archive) -> None:
    root, chance = tmp_path / "root", random.Random(0)
    bucket = root / "s3" / "data"
    shutil.copytree(server.bucket / "models", bucket / "models")
    jobs = []
    running = start(root)
    model = Account(running, "kills").model(container(trees))
    try:
        for number in range(ROUNDS):
            folder = bucket / f"job-{number}"
            (folder / "in").mkdir(parents=True)
            body = long_work(folder, trees.rows, objects=3)
            asked = request(model, folder, BatchStrategy="SingleRecord")
            asked["TransformResources"]["InstanceCount"] = 1 + number % 2
            Account(running, "kills").sagemaker.create_transform_job(**asked)
            jobs.append((asked["TransformJobName"], folder))
            time.sleep(chance.uniform(0, 4))
            running.end(signal.SIGKILL)
            running = start(root)
            if number % 4 == 3:
                # A job that ten servers began is given up
                for name, _ in jobs:
                    ended(Account(running, "kills"), name)
    finally:
        running.end()
    expected = predicted(trees, body)
    with served(root) as last:
        for name, folder in jobs:
            job = ended(Account(last, "kills"), name)
            assert job["TransformJobStatus"] == "Completed", job
            assert outputs(folder) == {f"{number}.csv.out": expected for number in range(3)}
