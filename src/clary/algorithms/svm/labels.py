"""Classes: how many the labels tell of, and what each weighs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.errors import CallerError
from clary.kit.labels import FIRST_COLUMN

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]


def counted_classes(labels: Floats, predictor_type: str, classes: int | None) -> int:
    """How many classes there are; each must have rows.

    Raises:
        CallerError: there are too few, or one has no rows.
    """
    if not len(labels):
        raise CallerError.of("channel train", "must have rows with a weight above 0", 0)
    found = 2 if predictor_type == "binary_classifier" else int(labels.max()) + 1
    if predictor_type == "multiclass_classifier" and classes is None and found < 3:
        raise CallerError.of(
            "num_classes",
            "a multiclass_classifier needs 3 classes at least; the labels of train have",
            found,
            "Use predictor_type=binary_classifier.",
        )
    counts = np.bincount(labels.astype(np.intp), minlength=classes or found)
    if classes is not None and found > classes:
        raise CallerError.of(
            "channel train", f"its labels must be below num_classes {classes}", found - 1
        )
    if not counts.all():
        lacking = int(np.flatnonzero(counts == 0)[0])
        raise CallerError.of(
            "channel train",
            f"must have rows of each class from 0 to {len(counts) - 1}",
            f"none of class {lacking}",
            FIRST_COLUMN,
        )
    return len(counts)


def class_weights(
    labels: Floats, classes: int, wanted: Mapping[str, float] | str | None
) -> Doubles:
    """(classes,) factors of C.

    Raises:
        CallerError: a weight is of no class.
    """
    if wanted == "balanced":
        counts = np.bincount(labels.astype(np.intp), minlength=classes)
        return np.asarray(len(labels) / (classes * counts))
    factors = np.ones(classes)
    given = wanted if isinstance(wanted, Mapping) else {}
    for name, value in given.items():
        number = _class_named(name)
        if not 0 <= number < classes:
            rule = f"must name classes from 0 to {classes - 1}"
            raise CallerError.of("class_weight", rule, name)
        factors[number] = value
    return factors


def _class_named(name: str) -> int:
    """`1` and `1.0` are class 1; -1 is none."""
    try:
        number = float(name)
    except ValueError:
        return -1
    return int(number) if number.is_integer() else -1
