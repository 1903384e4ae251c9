"""Trainings in memory and what their components keep."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.datasets import load_digits

from clary.algorithms.pca.fit import fit
from clary.algorithms.pca.model import PCAModel
from clary.algorithms.pca.spec import ALGORITHM, PCAHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import Channel, MemoryChannel
from clary.kit.run import Run

DIGITS = load_digits().data.astype(np.float32)


def running(channel: Channel, rest: dict[str, Any], **hyperparameters: Any) -> Run[Any]:
    """A training that is ready to begin."""
    params = PCAHyperparameters.parse(hyperparameters)
    return Run(ALGORITHM, params, {"train": channel}, **rest)


def trained(rows: Any, seed: int = 0, **hyperparameters: Any) -> PCAModel:
    return fit(running(MemoryChannel("train", Batch(rows)), {"seed": seed}, **hyperparameters))


def thin_digits() -> csr_array:
    """(1797, 1024): a column for each pixel and brightness, 3.2 % filled, of slow spectrum."""
    place, pixel = np.nonzero(DIGITS)
    column = pixel * 16 + DIGITS[place, pixel].astype(int) - 1
    entries = np.ones(len(place), dtype=np.float32)
    return csr_array((entries, (place, column)), shape=(len(DIGITS), 1024))


def share_kept(model: PCAModel, rows: np.ndarray) -> float:
    """Share of the variance of rows that the model's components keep, in float64."""
    centered = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    kept = centered @ model.v.astype(np.float64)
    return float((kept**2).sum() / (centered**2).sum())
