"""Trainings in memory, and the plain library beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xgboost
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from clary.algorithms import declaration
from clary.algorithms.xgboost.fit import fit
from clary.algorithms.xgboost.model import XGBoostModel
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.run import Run
from tests.algorithms.listening import Listener

ALGORITHM = declaration("xgboost")
_SETS: dict[str, Callable[..., Any]] = {
    "binary": load_breast_cancer,
    "multiclass": load_iris,
    "digits": load_digits,
    "regression": load_diabetes,
    "wine": load_wine,
}


def rows(kind: str) -> tuple[Batch, Batch]:
    """Even rows to train on and odd rows to validate on, of a set bundled with scikit-learn."""
    features, label = _SETS[kind](return_X_y=True)
    features, label = features.astype(np.float32), label.astype(np.float32)
    return Batch(features[::2], label[::2]), Batch(features[1::2], label[1::2])


def running(
    params: dict[str, Any], train: Batch, validation: Batch | None = None, **rest: Any
) -> Run[Any]:
    """A training that is ready to begin."""
    channels = {"train": MemoryChannel("train", train)}
    if validation is not None:
        channels["validation"] = MemoryChannel("validation", validation)
    parsed = ALGORITHM.hyperparameters.parse(params)
    return Run(ALGORITHM, parsed, channels, **{"reporter": Listener(), **rest})


def trained(
    params: dict[str, Any], train: Batch, validation: Batch | None = None, **rest: Any
) -> tuple[XGBoostModel, Listener]:
    """A trained model and what was said meanwhile."""
    run = running(params, train, validation, **rest)
    model = fit(run)
    assert isinstance(run.reporter, Listener)
    return model, run.reporter


def plain(params: dict[str, Any], train: Batch, rounds: int, **rest: Any) -> xgboost.Booster:
    """The library called directly."""
    matrix = xgboost.DMatrix(train.features, train.label, weight=train.weights)
    return xgboost.train(params, matrix, rounds, **rest)


def same_trees(ours: xgboost.Booster, theirs: xgboost.Booster) -> bool:
    """Whether two models are the same to the last bit, attributes apart."""
    for booster in (ours, theirs):
        booster.set_attr(best_iteration=None, best_score=None)
    return bytes(ours.save_raw("ubj")) == bytes(theirs.save_raw("ubj"))
