"""Trainings in memory, and real rows for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from clary.algorithms.factorization_machines.fit import fit
from clary.algorithms.factorization_machines.model import FactorizationMachinesModel
from clary.algorithms.factorization_machines.spec import (
    ALGORITHM,
    FactorizationMachinesHyperparameters,
)
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.run import Run
from tests.algorithms.listening import Listener


def _one_hot_digits() -> Batch:
    """A feature for each pixel and shade above 0: 32 of 1024 are filled. Label 1: an odd digit."""
    pixels, digit = load_digits(return_X_y=True)
    row, pixel = np.nonzero(pixels)
    columns = (pixel * 16 + pixels[row, pixel] - 1).astype(np.int32)
    ends = np.searchsorted(row, np.arange(len(pixels) + 1)).astype(np.int32)
    rows = csr_array((np.ones(len(row), np.float32), columns, ends), shape=(len(pixels), 1024))
    return Batch(rows, (digit % 2).astype(np.float32))


def _scaled(loaded: Any) -> Batch:
    rows, label = loaded
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    return Batch(scaled.astype(np.float32), label.astype(np.float32))


DIGITS = _one_hot_digits()
PIXELS = Batch((load_digits().data / 16).astype(np.float32), DIGITS.label)
TUMORS = _scaled(load_breast_cancer(return_X_y=True))
DIABETES = _scaled(load_diabetes(return_X_y=True))
BINARY = {"predictor_type": "binary_classifier", "num_factors": 8, "mini_batch_size": 100}
REGRESSOR = {"predictor_type": "regressor", "num_factors": 8, "mini_batch_size": 100}


def some(batch: Batch, rows: Any) -> Batch:
    """Some rows, by numbers or booleans."""
    assert batch.label is not None
    weights = None if batch.weights is None else batch.weights[rows]
    return Batch(batch.features[rows], batch.label[rows], weights)


def running(
    rows: Batch, hyperparameters: dict[str, Any], **rest: Any
) -> Run[FactorizationMachinesHyperparameters]:
    """A training that is ready to begin."""
    params = FactorizationMachinesHyperparameters.parse(hyperparameters)
    channels = {"train": MemoryChannel("train", rows)}
    return Run(ALGORITHM, params, channels, **{"reporter": Listener(), **rest})


def heard(
    rows: Batch, hyperparameters: dict[str, Any], **rest: Any
) -> tuple[FactorizationMachinesModel, Listener]:
    """A trained model and what was said meanwhile."""
    run = running(rows, hyperparameters, **rest)
    model = fit(run)
    assert isinstance(run.reporter, Listener)
    return model, run.reporter


def trained(
    rows: Batch, hyperparameters: dict[str, Any], **rest: Any
) -> FactorizationMachinesModel:
    """A trained model."""
    return heard(rows, hyperparameters, **rest)[0]


def state(model: FactorizationMachinesModel) -> bytes:
    """All parameters, to the bit."""
    return np.float32(model.bias).tobytes() + model.linear.tobytes() + model.factors.tobytes()


def score(model: FactorizationMachinesModel, rows: Batch) -> dict[str, float]:
    """The scores of the test channel."""
    return model.evaluate(MemoryChannel("test", rows))
