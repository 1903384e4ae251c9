"""Trainings from files, as the command line and the container start them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from clary.data.sources import Source
from clary.errors import CallerError
from clary.runtime.launch import Training, launch
from clary.spec.channels import Distribution
from tests.algorithms.randomcutforest.training import MALIGNANT, TUMORS
from tests.cli.commands import clary_here

FEW = {"num_trees": "50", "num_samples_per_tree": "16"}


def write(folder: Path, table: np.ndarray, files: int = 1) -> Path:
    folder.mkdir()
    for number, part in enumerate(np.array_split(table, files)):
        np.savetxt(folder / f"part-{number}.csv", part, fmt="%.6g", delimiter=",")
    return folder


@pytest.fixture
def train(tmp_path: Path) -> Path:
    return write(tmp_path / "train", TUMORS, files=2)


@pytest.fixture
def test(tmp_path: Path) -> Path:
    return write(tmp_path / "test", np.column_stack([MALIGNANT, TUMORS]), files=2)


def log_of(output: Path) -> str:
    return (output / "train.log").read_text()


def test_the_log_has_the_lines_that_are_scraped(train: Path, test: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    done = clary_here(
        "train", "randomcutforest", "--train", train, "--test", test, "-p", "num_trees=50",
        "--output", output, "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    log = log_of(output)
    f1 = done.json["metrics"]["test:f1"]
    assert f"#quality_metric: host=algo-1, test f1 <score>={f1!r}" in log
    assert "#progress_metric: host=algo-1, completed 100.0 % epochs" in log
    assert "records/second" in log


def test_two_hosts_grow_one_forest_from_their_shares(
    train: Path, test: Path, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    done = clary_here(
        "train", "randomcutforest", "--train", train, "--test", test, "-p", "num_trees=50",
        "-p", "num_samples_per_tree=8", "--hosts", "2", "--output", output,
    )  # fmt: skip
    assert done.code == 0, done.err
    told = clary_here("inspect", output / "model.tar.gz", "--json").json
    assert told["rows_seen"] == len(TUMORS)
    assert told["samples_per_tree"] == 8


def test_what_the_sdk_sends_beside_is_taken_and_the_log_says_that_it_does_nothing(
    train: Path, tmp_path: Path
) -> None:
    sent = {"mini_batch_size": "1000", "epochs": "1", "force_dense": "true", "_ftp_port": "8999"}
    source = Source("train", str(train), distribution="ShardedByS3Key")
    launch(Training("randomcutforest", {**FEW, **sent}, [source], tmp_path / "output"))
    log = log_of(tmp_path / "output")
    assert all(name in log for name in sent)


def test_a_replicated_train_channel_is_refused_as_sagemaker_does(
    train: Path, tmp_path: Path
) -> None:
    source = Source("train", str(train), distribution="FullyReplicated")
    with pytest.raises(CallerError, match="channel train: must be ShardedByS3Key"):
        launch(Training("randomcutforest", FEW, [source], tmp_path / "output"))


@pytest.mark.parametrize("distribution", ["FullyReplicated", "ShardedByS3Key"])
def test_a_test_channel_may_be_replicated_or_sharded(
    distribution: Distribution, train: Path, test: Path, tmp_path: Path
) -> None:
    sources = [
        Source("train", str(train), distribution="ShardedByS3Key"),
        Source("test", str(test), distribution=distribution),
    ]
    launch(Training("randomcutforest", FEW, sources, tmp_path / "output"))
    assert "test f1 <score>=" in log_of(tmp_path / "output")


def test_a_test_channel_without_anomalies_is_remarked_on_in_training_and_evaluation(
    train: Path, tmp_path: Path
) -> None:
    normal = write(tmp_path / "normal", np.column_stack([np.zeros(len(TUMORS)), TUMORS]))
    output = tmp_path / "output"
    done = clary_here(
        "train", "randomcutforest", "--train", train, "--test", normal, "-p", "num_trees=50",
        "--output", output,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "channel test has no anomaly (label 1)" in log_of(output)
    told = clary_here("evaluate", output / "model.tar.gz", "--test", normal, "--json")
    assert "channel test has no anomaly (label 1)" in told.err
    assert told.json["metrics"]["test:recall"] == 0
    metrics = json.loads((output / "metrics.json").read_text())
    assert "test:f1" in json.dumps(metrics)
