"""Trainings in memory, real rows for them, and AWS's own library over the same rows."""

from __future__ import annotations

from typing import Any

import krcf
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits

from clary.algorithms.randomcutforest.fit import fit
from clary.algorithms.randomcutforest.model import RandomCutForestModel
from clary.algorithms.randomcutforest.spec import ALGORITHM, RandomCutForestHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.run import Run
from tests.algorithms.listening import Listener

TUMORS, _benign = load_breast_cancer(return_X_y=True)
# Columns of very different units: a few decide alone which rows are cut off
TUMORS = (TUMORS / TUMORS.std(axis=0)).astype(np.float32)
MALIGNANT = _benign == 0
DIGITS, DIGIT = load_digits(return_X_y=True)
DIGITS = DIGITS.astype(np.float32)


def running(rows: Any, hyperparameters: dict[str, Any], **rest: Any) -> Run[Any]:
    """A training that is ready to begin; rows are a Batch or its features."""
    batch = rows if isinstance(rows, Batch) else Batch(rows)
    params = RandomCutForestHyperparameters.parse(hyperparameters)
    channels = {"train": MemoryChannel("train", batch)}
    return Run(ALGORITHM, params, channels, **{"reporter": Listener(), **rest})


def trained(rows: Any = DIGITS, *, seed: int = 0, **hyperparameters: Any) -> RandomCutForestModel:
    """A trained model."""
    return fit(running(rows, hyperparameters, seed=seed))


def scores(model: RandomCutForestModel, rows: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict(Batch(rows))["score"], dtype=np.float64)


def peer(rows: np.ndarray, num_trees: int, samples: int, **options: Any) -> krcf.RandomCutForest:
    """AWS's forest after all the rows; by default it samples them evenly, as in a training."""
    chosen: Any = {
        "dimensions": rows.shape[1],
        "shingle_size": 1,
        "num_trees": num_trees,
        "sample_size": samples,
        "random_seed": 1,
        "lambda": 0.0,
        "output_after": 1,
        "internal_shingling": False,
        **options,
    }
    forest = krcf.RandomCutForest(chosen)
    for row in rows:
        forest.update(row)
    return forest


def peer_scores(forest: krcf.RandomCutForest, rows: np.ndarray) -> np.ndarray:
    return np.array([forest.score(row) for row in rows])
