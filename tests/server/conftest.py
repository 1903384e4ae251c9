"""One server for the tests that do not harm it, with scikit-learn's sets in its bucket `data`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.server.endpoints import Archive, trained
from tests.servers import Server, served


def put_digits(bucket: Path) -> None:
    """The digits below `train/`, the same with their labels first below `labelled/`."""
    rows, label = load_digits(return_X_y=True)
    for name, table in (("train", rows), ("labelled", np.column_stack([label, rows]))):
        (bucket / name).mkdir(parents=True, exist_ok=True)
        np.savetxt(bucket / name / "digits.csv", table, delimiter=",", fmt="%g")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("server")
    put_digits(root / "s3" / "data")
    with served(root) as running:
        yield running


@pytest.fixture(scope="session")
def trees(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return trained(
        server,
        "xgboost",
        "trees",
        tmp_path_factory.mktemp("trees"),
        objective="binary:logistic",
        num_round="5",
    )


@pytest.fixture(scope="session")
def line(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return trained(
        server,
        "linear-learner",
        "line",
        tmp_path_factory.mktemp("line"),
        predictor_type="binary_classifier",
        epochs="2",
        num_models="2",
    )
