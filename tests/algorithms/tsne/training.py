"""Trainings in memory, and real rows for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from clary.algorithms.tsne.fit import fit
from clary.algorithms.tsne.model import TSNEModel
from clary.algorithms.tsne.spec import ALGORITHM, TSNEHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import Channel, MemoryChannel
from clary.kit.run import Run
from tests.algorithms.listening import Listener

DIGITS, DIGIT = load_digits(return_X_y=True)
DIGITS, DIGIT = DIGITS.astype(np.float32), DIGIT.astype(np.float32)
FEW = 300
# Enough for groups to form
QUICK = {"perplexity": 15, "early_exaggeration_iter": 100, "max_iter": 250}


def running(rows: Any, hyperparameters: dict[str, Any], **rest: Any) -> Run[TSNEHyperparameters]:
    """A training that is ready to begin; rows are a channel, a Batch or its features."""
    batch = rows if isinstance(rows, Batch) else Batch(rows)
    channel = rows if isinstance(rows, Channel) else MemoryChannel("train", batch)
    params = TSNEHyperparameters.parse(hyperparameters)
    return Run(ALGORITHM, params, {"train": channel}, **{"reporter": Listener(), **rest})


def heard(rows: Any, *, seed: int = 0, **hyperparameters: Any) -> tuple[TSNEModel, Listener]:
    """A map and what was said meanwhile."""
    run = running(rows, QUICK | hyperparameters, seed=seed)
    model = fit(run)
    assert isinstance(run.reporter, Listener)
    return model, run.reporter


def trained(rows: Any = DIGITS[:FEW], *, seed: int = 0, **hyperparameters: Any) -> TSNEModel:
    """A map."""
    return heard(rows, seed=seed, **hyperparameters)[0]
