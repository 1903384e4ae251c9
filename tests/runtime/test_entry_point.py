"""`train` as a process: exit codes, the failure file, signals, kills and full disks."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clary.data.feeder import pipe_path
from clary.runtime.layout import Layout
from tests.runtime.trees import Ended, ended, rows, run, start, tree, write_csv

pytestmark = pytest.mark.usefixtures("third_party")


def small(root: Path, **hyperparameters: str) -> Layout:
    layout = tree(root, hyperparameters, {"train": {}})
    write_csv(layout.channel("train") / "rows.csv", rows())
    return layout


def means(layout: Layout) -> bytes:
    return (layout.model / "means.npy").read_bytes()


def until(line: str, process: subprocess.Popen[str]) -> None:
    """Read the process's log until a line has these words."""
    assert process.stdout is not None
    for found in process.stdout:
        if line in found:
            return
    raise AssertionError(f"the log ended without {line!r}")


def test_done_is_0(tmp_path: Path) -> None:
    layout = small(tmp_path)
    layout.failure.write_text("of an earlier try")
    done = run(layout)
    assert (done.code, done.failure) == (0, "")
    assert "#quality_metric: host=algo-1, epoch=0, train norm <loss>=" in done.out
    assert means(layout)


def test_the_users_fault_is_1_and_a_client_error(tmp_path: Path) -> None:
    done = run(small(tmp_path, epoch="3"))
    assert done.code == 1
    assert done.failure.startswith("ClientError: epoch: Additional hyperparameters are not allowed")
    assert "Did you mean 'epochs'?" in done.failure
    assert "Traceback" not in done.out
    assert list((tmp_path / "model").iterdir()) == []


def test_our_fault_is_2_and_an_algorithm_error(tmp_path: Path) -> None:
    layout = small(tmp_path)
    layout.checkpoints.mkdir()
    (layout.checkpoints / "column-means-state.1").mkdir()
    done = run(layout)
    assert done.code == 2
    assert done.failure.startswith("AlgorithmError: FileNotFoundError: ")
    assert "Traceback" in done.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "takes the algorithm as its one argument or from CLARY_ALGORITHM, got 'neither'"),
        (["kmeans", "pca"], "got 'kmeans pca'"),
        (["kmean"], "Did you mean 'kmeans'?"),
    ],
)
def test_without_a_known_algorithm_it_says_so(
    arguments: list[str], told: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clary.runtime.train", *arguments],
        env={**os.environ, "CLARY_ML_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert told in (tmp_path / "output" / "failure").read_text()


def test_the_environment_may_name_the_algorithm(tmp_path: Path) -> None:
    layout = small(tmp_path)
    environment = {"CLARY_ML_ROOT": str(tmp_path), "CLARY_ALGORITHM": "column-means"}
    done = subprocess.run(
        [sys.executable, "-m", "clary.runtime.train"], env={**os.environ, **environment}
    )
    assert done.returncode == 0
    assert means(layout)


def test_sigterm_keeps_the_model_of_what_was_learnt(tmp_path: Path) -> None:
    layout = small(tmp_path, epochs="100000", pause_seconds="0.01")
    process = start(layout)
    until("epoch=1,", process)
    process.send_signal(signal.SIGTERM)
    done = ended(process, layout)
    assert (done.code, done.failure) == (0, "")
    assert "stopped early" in done.out
    assert means(layout)
    assert (layout.output_data / "metrics.json").exists()
    assert (layout.output_data / "report.html").exists()


def _piped(tmp_path: Path, write: Callable[[Path], None]) -> Ended:
    """SIGTERM while the training waits for a pipe that `write` opened and left open."""
    many = {"mini_batch_size": "100000"}
    layout = tree(tmp_path, many, {"train": {"TrainingInputMode": "Pipe"}})
    layout.channel("train").rmdir()
    pipe = pipe_path(layout.data, "train", 0)
    os.mkfifo(pipe)
    process = start(layout)
    write(pipe)
    process.send_signal(signal.SIGTERM)
    return ended(process, layout)


def test_sigterm_before_any_data_came_ends_without_a_model(tmp_path: Path) -> None:
    opened = []

    def write(pipe: Path) -> None:
        opened.append(pipe.open("wb"))
        # Opening waits for the reader; now it waits for bytes
        time.sleep(0.5)

    done = _piped(tmp_path, write)
    assert (done.code, done.failure) == (0, "")
    assert "Stopped before there was a model" in done.out
    assert list((tmp_path / "model").iterdir()) == []


def test_sigterm_before_a_pipe_has_a_writer_ends_without_a_model(tmp_path: Path) -> None:
    done = _piped(tmp_path, lambda pipe: time.sleep(5))
    assert (done.code, done.failure) == (0, "")
    assert list((tmp_path / "model").iterdir()) == []


def test_sigterm_while_data_are_awaited_keeps_the_model_of_what_came(tmp_path: Path) -> None:
    opened = []

    def write(pipe: Path) -> None:
        opened.append(pipe.open("wb", buffering=0))
        # More than a decoder reads ahead, and then nothing more
        line = b"0,1,2\n"
        opened[0].write(line * (32_000_000 // len(line)))
        time.sleep(3)

    done = _piped(tmp_path, write)
    assert (done.code, done.failure) == (0, "")
    np.testing.assert_allclose(np.load(tmp_path / "model" / "means.npy"), [0, 1, 2], atol=0.1)


def test_after_a_kill_it_goes_on_to_the_same_model(tmp_path: Path) -> None:
    undisturbed = small(tmp_path / "undisturbed", epochs="12")
    assert run(undisturbed).code == 0
    layout = small(tmp_path / "killed", epochs="12", pause_seconds="0.02")
    layout.checkpoints.mkdir()
    process = start(layout)
    until("epoch=4,", process)
    process.kill()
    assert ended(process, layout).code == -signal.SIGKILL
    assert list(layout.model.iterdir()) == []
    layout.hyperparameters.write_text(json.dumps({"epochs": "12"}))
    done = run(layout)
    assert done.code == 0
    assert "going on after epoch" in done.out
    assert means(layout) == means(undisturbed)
    assert len(list(layout.checkpoints.iterdir())) == 2


def test_a_disk_that_fills_up_leaves_no_part_of_a_model(tmp_path: Path) -> None:
    layout = tree(tmp_path, {}, {"train": {}})
    # 5,000 means are 40,000 bytes and more than a file may have
    write_csv(layout.channel("train") / "rows.csv", np.ones((2, 5000)))
    process = subprocess.Popen(
        [sys.executable, "-m", "clary.runtime.train", "column-means"],
        env={**os.environ, "CLARY_ML_ROOT": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    done = ended(process, layout)
    assert done.code == 1
    assert done.failure.startswith(f"ClientError: {layout.model}: the disk is full")
    assert list(layout.model.iterdir()) == []
