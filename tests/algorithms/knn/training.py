"""Trainings in memory, real rows for them, and what all distances say."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from clary.algorithms.knn.fit import fit
from clary.algorithms.knn.model import KNNModel
from clary.algorithms.knn.spec import ALGORITHM, KNNHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.run import Run
from tests.algorithms.listening import Listener


def _halves(loaded: Any, scaled: bool) -> tuple[Batch, Batch]:
    """Rows to train on and rows to try, dealt out by a seeded rule."""
    rows, labels = loaded
    order = np.random.default_rng(0).permutation(len(rows))
    if scaled:
        rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    batch = Batch(rows[order].astype(np.float32), labels[order].astype(np.float32))
    return batch.slice(0, len(rows) * 2 // 3), batch.slice(len(rows) * 2 // 3, len(rows))


DIGITS = _halves(load_digits(return_X_y=True), scaled=False)
TUMORS = _halves(load_breast_cancer(return_X_y=True), scaled=True)
WINES = _halves(load_wine(return_X_y=True), scaled=True)
DIABETES = _halves(load_diabetes(return_X_y=True), scaled=True)
SETS = {"digits": DIGITS, "tumors": TUMORS, "wines": WINES}


def running(train: Batch, hyperparameters: dict[str, Any], **rest: Any) -> Run[KNNHyperparameters]:
    """A training that is ready to begin; k is 5 and all rows are kept unless it is told."""
    given = {"k": 5, "predictor_type": "classifier", **hyperparameters}
    channels = {"train": MemoryChannel("train", train)}
    params = KNNHyperparameters.parse(given)
    return Run(ALGORITHM, params, channels, **{"reporter": Listener(), **rest})


def trained(train: Batch, *, seed: int = 0, **hyperparameters: Any) -> KNNModel:
    """A trained model."""
    return fit(running(train, hyperparameters, seed=seed))


def by_hand(
    rows: np.ndarray, queries: np.ndarray, k: int, metric: str = "L2"
) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances or the like, and places, both (queries, k), by float64 over all pairs.

    Of equal ones the earlier row is first.
    """
    x, y = queries.astype(np.float64), rows.astype(np.float64)
    if metric == "L2":
        all_of_them = np.array([((y - one) ** 2).sum(axis=1) for one in x])
    else:
        all_of_them = -(x @ y.T)
    places = np.argsort(all_of_them, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(all_of_them, places, axis=1), places
