"""Data and models that the tests of the commands share."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris

from tests.cli.commands import clary_here


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """iris.csv without a label; tumors.csv with one in front, tumors-rows.csv without it;
    logins.csv of people and addresses.
    """
    folder = tmp_path_factory.mktemp("data")
    _write(folder / "iris.csv", load_iris().data)
    rows, benign = load_breast_cancer(return_X_y=True)
    _write(folder / "tumors.csv", np.column_stack([benign, rows]))
    _write(folder / "tumors-rows.csv", rows)
    lines = [json.dumps({"features": row}) for row in rows.tolist()]
    pairs = [f"person {at % 9}, {20 + at % 9}.{at % 7}.{at % 5}.{at % 250}" for at in range(300)]
    (folder / "logins.csv").write_text("\n".join(pairs) + "\n")
    (folder / "tumors-rows.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def models(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The output folder of a training, by algorithm."""
    root = tmp_path_factory.mktemp("models")
    trainings = {
        "kmeans": ("iris.csv", "k=3"),
        "pca": ("iris.csv", "num_components=2"),
        "knn": ("tumors.csv", "k=3", "predictor_type=classifier"),
        "linear-learner": ("tumors.csv", "predictor_type=binary_classifier", "num_models=2"),
        "randomcutforest": ("iris.csv", "num_trees=50", "num_samples_per_tree=16"),
        "ipinsights": ("logins.csv", "num_entity_vectors=20", "vector_dim=4"),
        "factorization-machines": (
            "tumors.csv",
            "predictor_type=binary_classifier",
            "num_factors=2",
        ),
        "tsne": ("iris.csv", "early_exaggeration_iter=20", "max_iter=50"),
        "svm": ("tumors.csv", "predictor_type=binary_classifier"),
        "xgboost": ("tumors.csv", "num_round=3", "objective=binary:logistic"),
    }
    for name, (file, *hyperparameters) in trainings.items():
        given = [word for one in hyperparameters for word in ("-p", one)]
        done = clary_here("train", name, "--train", data / file, *given, "--output", root / name)
        assert done.code == 0, done.err
    return {name: root / name for name in trainings}


def _write(path: Path, rows: np.ndarray) -> None:
    np.savetxt(path, rows, delimiter=",", fmt="%g")
