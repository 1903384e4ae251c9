"""The real algorithms, asked to end in the middle, and killed and started again."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from clary.algorithms import declaration
from clary.data.feeder import pipe_path
from clary.runtime.layout import Layout
from clary.runtime.models import load_model
from tests.runtime.trees import ended, run, start, tree, write_csv

# With these each works for many seconds and keeps states, k-means and the linear learner after each
# epoch, XGBoost after rounds
ENDLESS = {
    "kmeans": {"k": "5", "epochs": "1000000", "local_lloyd_num_trials": "1"},
    "linear-learner": {
        "predictor_type": "binary_classifier",
        "epochs": "1000000",
        "num_models": "4",
        "early_stopping_patience": "1000000",
        "lr_scheduler_step": "100",  # auto would follow from epochs, which the tests change
    },
    "xgboost": {"objective": "binary:logistic", "num_round": "1000000", "max_depth": "2"},
}
# What counts the steps of their states
COUNTED = {"kmeans": "epochs", "linear-learner": "epochs", "xgboost": "num_round"}


def laid_out(root: Path, algorithm: str, **changed: str) -> Layout:
    """A tree with 20,000 rows of two classes, whose training keeps states."""
    layout = tree(root, {**ENDLESS[algorithm], **changed}, {"train": {}})
    random = np.random.default_rng(0)
    label = random.integers(0, 2, 20_000)
    features = random.normal(label[:, None] * 0.5, 1, (20_000, 8))
    supervised = declaration(algorithm).learning == "supervised"
    table = np.column_stack([label, features]) if supervised else features
    write_csv(layout.channel("train") / "rows.csv", table)
    layout.checkpoints.mkdir()
    return layout


def await_a_state(layout: Layout) -> None:
    deadline = time.monotonic() + 90
    while not steps(layout):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def steps(layout: Layout) -> list[int]:
    """Those whose states were kept."""
    found = layout.checkpoints.glob("*-state.*")
    return [int(each.name.rpartition(".")[2]) for each in found if not each.name.startswith(".")]


def model_bytes(layout: Layout) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in layout.model.iterdir()}


@pytest.mark.parametrize("algorithm", list(ENDLESS))
def test_sigterm_in_the_middle_gives_a_model(algorithm: str, tmp_path: Path) -> None:
    layout = laid_out(tmp_path, algorithm)
    process = start(layout, algorithm)
    await_a_state(layout)
    process.send_signal(signal.SIGTERM)
    done = ended(process, layout)
    assert (done.code, done.failure) == (0, ""), done.out
    assert load_model(layout.model).width == 8
    assert (layout.output_data / "metrics.json").exists()


def test_sigterm_while_pca_reads_gives_the_components_of_what_came(tmp_path: Path) -> None:
    layout = tree(tmp_path, {"num_components": "2"}, {"train": {"TrainingInputMode": "Pipe"}})
    layout.channel("train").rmdir()
    pipe = pipe_path(layout.data, "train", 0)
    os.mkfifo(pipe)
    process = start(layout, "pca")
    random = np.random.default_rng(0)
    text = "".join(f"{x:.3f},{y:.3f},0\n" for x, y in random.normal(0, (3, 1), (100_000, 2)))
    with pipe.open("wb", buffering=0) as stream:
        for _ in range(20):
            stream.write(text.encode())
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        done = ended(process, layout)
    assert (done.code, done.failure) == (0, ""), done.out
    assert load_model(layout.model).width == 3


@pytest.mark.parametrize("algorithm", list(ENDLESS))
def test_after_a_kill_the_model_is_that_of_an_undisturbed_training(
    algorithm: str, tmp_path: Path
) -> None:
    killed = laid_out(tmp_path / "killed", algorithm)
    process = start(killed, algorithm)
    await_a_state(killed)
    process.kill()
    process.communicate()
    assert not list(killed.model.iterdir())
    further = {COUNTED[algorithm]: str(max(steps(killed)) + 3)}
    killed.hyperparameters.write_text(json.dumps({**ENDLESS[algorithm], **further}))
    done = run(killed, algorithm)
    assert done.code == 0, done.out
    assert "going on from the checkpoint" in done.out
    undisturbed = laid_out(tmp_path / "undisturbed", algorithm, **further)
    assert run(undisturbed, algorithm).code == 0
    assert model_bytes(killed) == model_bytes(undisturbed)
