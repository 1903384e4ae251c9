"""Trainings in memory, and real rows for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.datasets import load_digits

from clary.algorithms.kmeans.fit import fit
from clary.algorithms.kmeans.model import KMeansModel
from clary.algorithms.kmeans.spec import ALGORITHM, KMeansHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.run import Run
from tests.algorithms.listening import Listener

DIGITS, DIGIT = load_digits(return_X_y=True)
DIGITS = DIGITS.astype(np.float32)


def running(rows: Any, hyperparameters: dict[str, Any], **rest: Any) -> Run[KMeansHyperparameters]:
    """A training that is ready to begin; rows are a Batch or its features."""
    batch = rows if isinstance(rows, Batch) else Batch(rows)
    channels = {"train": MemoryChannel("train", batch)}
    params = KMeansHyperparameters.parse(hyperparameters)
    return Run(ALGORITHM, params, channels, **{"reporter": Listener(), **rest})


def heard(rows: Any, *, seed: int = 0, **hyperparameters: Any) -> tuple[KMeansModel, Listener]:
    """A trained model and what was said meanwhile."""
    run = running(rows, hyperparameters, seed=seed)
    model = fit(run)
    assert isinstance(run.reporter, Listener)
    return model, run.reporter


def trained(rows: Any = DIGITS, *, seed: int = 0, **hyperparameters: Any) -> KMeansModel:
    """A trained model."""
    return heard(rows, seed=seed, **hyperparameters)[0]


def ssd(centers: np.ndarray, rows: np.ndarray) -> float:
    """The sum of squared distances of rows to their nearest centers, in float64."""
    nearest = np.full(len(rows), np.inf)
    for center in centers.astype(np.float64):
        np.minimum(nearest, ((rows - center) ** 2).sum(axis=1), out=nearest)
    return float(nearest.sum())


def one_hot(rows: np.ndarray) -> csr_array:
    """A column for each pixel and value above 0: 3 % are filled."""
    row, pixel = np.nonzero(rows)
    columns = pixel * 16 + rows[row, pixel].astype(np.intp) - 1
    ones = np.ones(len(row), np.float32)
    return csr_array((ones, (row, columns)), shape=(len(rows), rows.shape[1] * 16))
