"""Small real models of the four algorithms, each in a tree as a container finds it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from clary.algorithms import declaration, fit_of
from clary.codecs.batch import Batch, Floats
from clary.data.channel import MemoryChannel
from clary.kit.model import Model
from clary.kit.run import Run
from clary.runtime.models import load_model, save_model
from tests.runtime.servers import Server, model_server
from tests.runtime.trees import REPOSITORY


@dataclass(frozen=True)
class Trained:
    """A model, the rows it was trained on, and the folder that stands for /opt/ml."""

    model: Model
    rows: Floats
    root: Path


INSTALLED = Path(__file__).parent / "installed"
HYPERPARAMETERS = {
    "linear-learner": {"predictor_type": "binary_classifier", "epochs": "3", "num_models": "4"},
    "kmeans": {"k": "3"},
    "pca": {"num_components": "3", "mini_batch_size": "50"},
    "xgboost": {"objective": "binary:logistic", "num_round": "10"},
}
DATA = {
    "linear-learner": load_breast_cancer,
    "kmeans": load_iris,
    "pca": load_wine,
    "xgboost": load_breast_cancer,
}


class Models(dict[str, Trained]):
    """By name, each trained when it is first asked for."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders

    def __missing__(self, name: str) -> Trained:
        self[name] = _trained(name, self._folders.mktemp(name))
        return self[name]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory)


@pytest.fixture(scope="session", params=list(DATA))
def trained(request: pytest.FixtureRequest, models: Models) -> Trained:
    """Each of the four in turn."""
    return models[request.param]


@pytest.fixture(scope="module")
def server(models: Models) -> Iterator[Server]:
    """The linear learner as a process of its own."""
    with model_server(models["linear-learner"].root) as one:
        yield one


def _trained(name: str, root: Path) -> Trained:
    algorithm = declaration(name)
    rows, labels = DATA[name](return_X_y=True)
    train = Batch(np.float32(rows), np.float32(labels))
    run = Run(
        algorithm=algorithm,
        params=algorithm.hyperparameters.parse(HYPERPARAMETERS[name]),
        channels={"train": MemoryChannel("train", train)},
        seed=1,
    )
    folder = root / "model"
    folder.mkdir()
    save_model(fit_of(algorithm)(run), folder)
    return Trained(load_model(folder), train.dense(), root)


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> None:
    """The algorithm `column-means` is installed, here and in the processes of a test."""
    monkeypatch.syspath_prepend(INSTALLED)
    monkeypatch.setenv("PYTHONPATH", f"{INSTALLED}{os.pathsep}{REPOSITORY}")
