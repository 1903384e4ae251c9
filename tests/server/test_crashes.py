"""Jobs in bad times: kills at random instants, stops, waits, a full disk, full memory."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import BotoCoreError, ClientError

import clary
from tests.server.conftest import put_digits
from tests.servers import Server, finished, served, start, training_request

SEED = 20261125
# Long enough that a kill finds jobs in every stage
K_MEANS = {"k": "10", "feature_dim": "64", "epochs": "60"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "s3" / "data").mkdir(parents=True)
    put_digits(tmp_path / "s3" / "data")
    return tmp_path


@pytest.mark.parametrize(
    "kills", [4, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_jobs_survive_kills_of_the_server(root: Path, kills: int) -> None:
    chance, names = random.Random(SEED), []
    server = start(root, CLARY_JOBS="2")
    try:
        for number in range(kills):
            name = f"job-{number}"
            with suppress(ClientError, BotoCoreError):
                create(server, name)
                names.append(name)
            time.sleep(chance.uniform(0, 1.5))
            server.end(signal.SIGKILL)
            assert not half_written(root)
            server = start(root, CLARY_JOBS="2")
        jobs = [finished(server.client("sagemaker"), name, 240) for name in names]
    finally:
        server.end()
    for job in jobs:
        if job["TrainingJobStatus"] == "Failed":
            # It was begun and cut off ten times
            assert "the server ended 10 times during this job" in job["FailureReason"]
            assert kills > 10
        else:
            assert job["TrainingJobStatus"] == "Completed"
            assert written_once(root, job)
    assert intact(root)


@pytest.mark.parametrize(
    "kills", [3, pytest.param(60, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_a_killed_job_process_fails_its_job_alone(root: Path, kills: int) -> None:
    chance = random.Random(SEED)
    with served(root, CLARY_JOBS="2") as server:
        client = server.client("sagemaker")
        for number in range(kills):
            names = [f"killed-{number}", f"other-{number}"]
            for name in names:
                create(server, name)
            time.sleep(chance.uniform(0.1, 1.0))
            for pid in workers_at(root / "jobs" / "training-job" / names[0]):
                os.kill(pid, signal.SIGKILL)
            killed, other = (finished(client, name) for name in names)
            assert other["TrainingJobStatus"] == "Completed", other.get("FailureReason")
            if killed["TrainingJobStatus"] == "Failed":
                assert "signal SIGKILL" in killed["FailureReason"]
                assert "ModelArtifacts" not in killed or written_once(root, killed)
            else:
                assert written_once(root, killed)
    assert intact(root)


def test_a_job_that_was_being_stopped_is_stopped_after_a_kill(root: Path) -> None:
    server = start(root)
    client = server.client("sagemaker")
    create(server, "stopped", epochs="1000000")
    until(client, "stopped", "Training")
    client.stop_training_job(TrainingJobName="stopped")
    server.end(signal.SIGKILL)
    with served(root) as second:
        job = finished(second.client("sagemaker"), "stopped")
        assert job["TrainingJobStatus"] == "Stopped"


def test_a_job_that_is_taken_up_again_still_has_a_limit(root: Path) -> None:
    server = start(root)
    client = server.client("sagemaker")
    request = training_request(
        "limited",
        "kmeans",
        HyperParameters={**K_MEANS, "epochs": "1000000"},
        StoppingCondition={"MaxRuntimeInSeconds": 3},
    )
    client.create_training_job(**request)
    until(client, "limited", "Training")
    server.end(signal.SIGKILL)
    with served(root) as second:
        job = finished(second.client("sagemaker"), "limited")
        assert job["SecondaryStatus"] == "MaxRuntimeExceeded"


def test_stopping_works_in_every_stage(root: Path) -> None:
    chance = random.Random(SEED)
    with served(root, CLARY_JOBS="1") as server:
        client = server.client("sagemaker")
        for number in range(6):
            name = f"job-{number}"
            create(server, name, epochs="1000000")
            if number % 2:
                time.sleep(chance.uniform(0, 1))
            client.stop_training_job(TrainingJobName=name)
            job = finished(client, name)
            assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Stopped"
            assert job["SecondaryStatusTransitions"][-1]["Status"] == "Stopped"


def test_a_spot_job_that_waits_too_long_is_stopped_unbegun(root: Path) -> None:
    with served(root, CLARY_JOBS="1") as server:
        client = server.client("sagemaker")
        create(server, "first", epochs="1000000")
        spot = training_request(
            "spot",
            "kmeans",
            HyperParameters=K_MEANS,
            EnableManagedSpotTraining=True,
            StoppingCondition={"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1},
        )
        client.create_training_job(**spot)
        job = finished(client, "spot")
        stages = [one["Status"] for one in job["SecondaryStatusTransitions"]]
        assert stages == ["Pending", "MaxWaitTimeExceeded"]
        assert job["TrainingJobStatus"] == "Stopped"
        assert "TrainingStartTime" not in job
        client.stop_training_job(TrainingJobName="first")
        assert finished(client, "first")["TrainingJobStatus"] == "Stopped"


def test_a_job_goes_on_from_its_checkpoint_after_a_kill(root: Path) -> None:
    """XGBoost's rounds that a checkpoint has are not computed again."""
    server = start(root)
    client = server.client("sagemaker")
    checkpoints = root / "s3" / "data" / "checkpoints"
    request = training_request(
        "rounds",
        "xgboost",
        HyperParameters={"num_round": "300", "objective": "multi:softmax", "num_class": "10"},
        CheckpointConfig={"S3Uri": "s3://data/checkpoints"},
    )
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://data/labelled/"
    client.create_training_job(**request)
    deadline = time.monotonic() + 60
    while "[20]#011" not in log_of(root, "rounds") or not any(checkpoints.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    server.end(signal.SIGKILL)
    with served(root) as second:
        job = finished(second.client("sagemaker"), "rounds", 240)
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert log_of(root, "rounds").count("[0]#011") == 1
    assert "[299]#011" in log_of(root, "rounds")


def test_a_full_disk_fails_the_job_with_the_reason(root: Path) -> None:
    """Files are limited to 2 MB: room for the rows of a database, not for a large model."""
    rows = np.random.default_rng(SEED).integers(0, 100, (500, 2000))
    (root / "s3" / "data" / "wide").mkdir()
    np.savetxt(root / "s3" / "data" / "wide" / "rows.csv", rows, delimiter=",", fmt="%d")
    with served(root, limit=(resource.RLIMIT_FSIZE, 2_000_000)) as server:
        client = server.client("sagemaker")
        request = training_request("big", "kmeans", HyperParameters={"k": "400"})
        request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://data/wide/"
        client.create_training_job(**request)
        job = finished(client, "big")
        assert job["TrainingJobStatus"] == "Failed"
        assert "the disk is full" in job["FailureReason"]
        create(server, "small")
        assert finished(client, "small")["TrainingJobStatus"] == "Completed"
    assert not half_written(root)


def test_a_job_that_fills_the_memory_is_killed_alone_and_told(root: Path) -> None:
    with served(root, CLARY_JOB_MEMORY_BYTES="1") as server:
        client = server.client("sagemaker")
        create(server, "hungry", epochs="1000000")
        job = finished(client, "hungry")
        assert job["TrainingJobStatus"] == "Failed"
        assert "more memory than" in job["FailureReason"]
        assert client.list_training_jobs()["TrainingJobSummaries"]


def create(server: Server, name: str, **hyperparameters: str) -> None:
    request = training_request(name, "kmeans", HyperParameters={**K_MEANS, **hyperparameters})
    server.client("sagemaker").create_training_job(**request)


def until(client: Any, name: str, secondary: str) -> None:
    deadline = time.monotonic() + 60
    while client.describe_training_job(TrainingJobName=name)["SecondaryStatus"] != secondary:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def log_of(root: Path, name: str) -> str:
    return "\n".join(path.read_text() for path in (root / "logs").rglob(f"{name}/*.log"))


def half_written(root: Path) -> list[Path]:
    """Archives in the bucket that cannot be read."""
    return [path for path in (root / "s3" / "data").rglob("*.tar.gz") if not readable(path)]


def readable(path: Path) -> bool:
    return subprocess.run(["tar", "tzf", str(path)], capture_output=True).returncode == 0


def written_once(root: Path, job: dict[str, Any]) -> bool:
    """Whether the artifact is there, whole, and nothing else is beside it."""
    folder = root / "s3" / "data" / "out" / job["TrainingJobName"] / "output"
    assert clary.load(folder / "model.tar.gz")
    return {path.name for path in folder.iterdir()} <= {"model.tar.gz", "output.tar.gz"}


def intact(root: Path) -> bool:
    with sqlite3.connect(root / "clary.db") as database:
        return database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def workers_at(folder: Path) -> Iterator[int]:
    """The processes that have a job's lock open."""
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if entry.readlink() == folder / "lock":
                yield int(entry.parts[2])
