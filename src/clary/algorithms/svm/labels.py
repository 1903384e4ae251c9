"""What rows must be like: finite features, labels of the predictor's kind, weights, classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.codecs.batch import Batch, Features
from clary.errors import CallerError

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

_FIRST_COLUMN = "In CSV the label is the first column."


def check_finite(features: Features, channel: str, first: int = 0) -> None:
    """Refuse NaN and infinity; `first` is the number of rows before these in the channel."""
    values = np.asarray(features if isinstance(features, np.ndarray) else features.data)
    # One bad value makes the sum bad; a good sum saves looking at each
    if np.isfinite(values.sum(dtype=np.float64)):
        return
    place = int(np.flatnonzero(~np.isfinite(values))[0])
    row, column = divmod(place, features.shape[1])
    if not isinstance(features, np.ndarray):
        row = int(np.searchsorted(features.indptr, place, side="right")) - 1
        column = int(features.indices[place])
    raise CallerError.of(
        f"channel {channel}, row {first + row + 1}, feature {column + 1}",
        "must be a finite number",
        float(values.flat[place]),
    )


def checked_labels(
    batch: Batch, channel: str, predictor_type: str, classes: int | None = None, first: int = 0
) -> Floats:
    """(rows,) labels of the predictor's kind; of a classifier whole numbers from 0 on.

    Raises:
        CallerError: there are none or several a row, or one is wrong; the first such is named.
    """
    labels = batch.labels()
    if labels.size != batch.rows:
        raise CallerError.of(f"channel {channel}", "must have one label a row", labels.shape[1])
    labels = labels.reshape(-1)
    wrong = ~np.isfinite(labels)
    if predictor_type != "regressor":
        highest = 2 if predictor_type == "binary_classifier" else classes or np.inf
        wrong |= (np.floor(labels) != labels) | (labels < 0) | (labels >= highest)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        thing = f"channel {channel}, row {first + row + 1}, label"
        raise CallerError.of(thing, *_rule(predictor_type, classes, float(labels[row])))
    return labels


def _rule(predictor_type: str, classes: int | None, got: float) -> tuple[str, float, str]:
    if predictor_type == "regressor":
        return "must be a finite number", got, ""
    if predictor_type == "binary_classifier":
        return "must be 0 or 1 for a binary_classifier", got, _FIRST_COLUMN
    limit = f"from 0 to {classes - 1} for num_classes {classes}" if classes else "from 0 on"
    return f"must be a whole number {limit}", got, _FIRST_COLUMN


def checked_weights(batch: Batch, channel: str) -> Floats | None:
    """(rows,) or None.

    Raises:
        CallerError: a weight is negative or not finite.
    """
    weights = batch.weights
    if weights is None:
        return None
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        thing = f"channel {channel}, row {row + 1}, weight"
        raise CallerError.of(thing, "must be at least 0", float(weights[row]))
    return weights


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
            _FIRST_COLUMN,
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
    for name, value in (wanted or {}).items():  # type: ignore[union-attr]
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
