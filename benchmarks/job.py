"""A whole small training, from a cold start of Python to the files of the result."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer

from benchmarks.case import Case, Suite

_FLOOR_SECONDS, _GOAL_SECONDS = 5.0, 1.0
_BIN = Path(sys.executable).parent
_HYPERPARAMETERS = {
    "kmeans": {"k": "3"},
    "pca": {"num_components": "5"},
    "linear-learner": {"predictor_type": "binary_classifier"},
    "xgboost": {"objective": "binary:logistic", "num_round": "100"},
}


def prepare(folder: Path, algorithm: str) -> None:
    """569 rows of 30 features in a CSV file, alone and in the tree of a container."""
    rows, labels = load_breast_cancer(return_X_y=True)
    if algorithm in {"linear-learner", "xgboost"}:
        rows = np.column_stack([labels, rows])
    data, config = folder / "ml/input/data/train", folder / "ml/input/config"
    data.mkdir(parents=True)
    config.mkdir(parents=True)
    np.savetxt(data / "rows.csv", rows, fmt="%.6g", delimiter=",")
    (config / "hyperparameters.json").write_text(json.dumps(_HYPERPARAMETERS[algorithm]))


def command(folder: Path, algorithm: str) -> dict[str, float]:
    """`clary train`, to model.tar.gz and a report."""
    given = [f"-p{name}={value}" for name, value in _HYPERPARAMETERS[algorithm].items()]
    data = folder / "ml/input/data/train/rows.csv"
    output = folder / "output"
    _run([_BIN / "clary", "train", algorithm, "--train", data, *given, "--output", output])
    if not (output / "model.tar.gz").exists():
        raise RuntimeError("there is no model")
    shutil.rmtree(output)
    return {}


def entry_point(folder: Path, algorithm: str) -> dict[str, float]:
    """`train`, as a container is started."""
    _run([_BIN / "train", algorithm], CLARY_ML_ROOT=str(folder / "ml"))
    shutil.rmtree(folder / "ml/model")
    return {}


def _run(words: list[str | Path], **variables: str) -> None:
    subprocess.run(
        words,
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


def _case(name: str, side: Callable[..., dict[str, float]], algorithm: str) -> Case:
    return Case(
        f"{name} {algorithm}",
        partial(prepare, algorithm=algorithm),
        partial(side, algorithm=algorithm),
        None,
        "SageMaker: 283 to 324 s for 12 to 82 s of work, by its published logs",
        floor=_FLOOR_SECONDS,
        goal=_GOAL_SECONDS,
        measure="seconds",
    )


SUITE = Suite(
    "Job",
    "A training on 569 rows of 30 features from the start of a new process to its end: reading, "
    "training, model and report written. Files are in the system's cache.",
    (
        *(_case("clary train", command, algorithm) for algorithm in _HYPERPARAMETERS),
        _case("entry point train", entry_point, "kmeans"),
    ),
)
