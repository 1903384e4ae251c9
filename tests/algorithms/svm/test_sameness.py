"""The same rows and seed give the same bytes, whatever the number of threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from clary.codecs.batch import Batch
from tests.algorithms.svm.training import trained

# Each goes another way: pairs by libsvm, one kernel matrix by pieces, Newton's method, liblinear
# side by side and in turn, landmarks, waves, and the folds of a calibration
WAYS: list[tuple[int, bool, dict[str, Any]]] = [
    (10, False, {}),
    (2, True, {"probability": True}),
    (10, False, {"kernel": "linear"}),
    (10, True, {"kernel": "linear", "penalty": "l1", "C": 0.1}),
    (10, True, {"kernel": "linear", "probability": True}),
    (10, False, {"kernel": "linear", "loss": "hinge"}),
    (10, True, {"kernel_approximation": "nystroem", "num_components": 200}),
    (2, False, {"kernel_approximation": "random_features", "num_components": 200}),
]


@pytest.mark.parametrize(("classes", "sparse", "told"), WAYS, ids=str)
def test_one_and_several_threads_give_the_same_bytes(
    classes: int,
    sparse: bool,
    told: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    rows, digits = load_digits(return_X_y=True)
    rows, labels = rows.astype(np.float32), (digits % classes).astype(np.float32)
    batch = Batch(rows, labels)
    kind = "binary_classifier" if classes == 2 else "multiclass_classifier"
    found = set()
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        folder = tmp_path / threads
        folder.mkdir()
        given = Batch(batch.sparse(), labels) if sparse else batch
        trained(given, predictor_type=kind, **told).save(folder)
        found.add(b"".join(one.read_bytes() for one in sorted(folder.iterdir())))
    assert len(found) == 1
