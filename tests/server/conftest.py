"""One server for the tests that do not harm it, with scikit-learn's sets in its bucket `data`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

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
