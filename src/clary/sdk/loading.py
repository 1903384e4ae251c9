"""A saved model as an estimator."""

from __future__ import annotations

from pathlib import Path

from clary.errors import CallerError
from clary.sdk import saved
from clary.sdk.estimator import Estimator
from clary.sdk.estimators import ESTIMATORS, estimator_class


def load(path: str | Path) -> Estimator:
    """The estimator of a saved model, whoever trained it: a folder or a `model.tar.gz`.

    Raises:
        CallerError: it is not a model, or not one that Clary knows.
    """
    model, notes = saved.load(Path(path))
    name = model.algorithm.name
    if name not in ESTIMATORS:
        raise CallerError.of(f"model {path}", "has no estimator in Python", name)
    return estimator_class(name).restored(model, notes)
