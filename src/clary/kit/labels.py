"""What comes with each row: a label of the kind that a predictor takes, and a weight.

`before` is everywhere how many rows of the channel came earlier, so that errors name the row.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.codecs.batch import Batch, Floats
from clary.errors import CallerError

Booleans: TypeAlias = npt.NDArray[np.bool_]

FIRST_COLUMN = "In CSV the label is the first column."


def labels_of(batch: Batch, channel: str) -> Floats:
    """The labels as they are: (rows,), or (rows, labels).

    Raises:
        CallerError: the rows have none.
    """
    if batch.label is None:
        raise CallerError.of(
            f"channel {channel}",
            "every row needs a label and these rows have none",
            remedy="In CSV it is the first column, in records it is below label.",
        )
    return batch.label


def one_label(batch: Batch, channel: str, remedy: str = "") -> Floats:
    """(rows,) labels. remedy: what to do where there are several.

    Raises:
        CallerError: the rows have none, or several each.
    """
    labels = labels_of(batch, channel)
    if labels.size != batch.rows:
        rule = "must have one label a row"
        raise CallerError.of(f"channel {channel}", rule, labels.shape[1], remedy)
    return labels.reshape(-1)


def checked_labels(
    batch: Batch, predictor_type: str, channel: str, before: int = 0, classes: int | None = None
) -> Floats:
    """(rows,) labels that the predictor takes, as `check_labels` has it.

    Raises:
        CallerError: there are none or several a row, or one is wrong; the first such is named.
    """
    labels = one_label(batch, channel)
    check_labels(labels, predictor_type, channel, before, classes)
    return labels


def check_labels(
    labels: Floats, predictor_type: str, channel: str, before: int = 0, classes: int | None = None
) -> None:
    """Refuse labels that a predictor does not take.

    A regressor takes finite numbers; a multiclass_classifier whole ones below `classes`, or any
    from 0 on; other classifiers take 0 and 1. labels: (rows,), or (rows, labels).
    """
    remedy = FIRST_COLUMN
    if predictor_type == "regressor":
        right, rule, remedy = np.isfinite(labels), "must be a finite number", ""
    elif predictor_type == "multiclass_classifier":
        # NaN is unequal to its floor
        right = (np.floor(labels) == labels) & (labels >= 0) & (labels < (classes or np.inf))
        limit = f"to {classes - 1} for num_classes {classes}" if classes else "on"
        rule = f"must be a whole number from 0 {limit}"
        if classes and (labels == classes).any():
            remedy = f"Labels start at 0. {FIRST_COLUMN}"
    else:
        right, rule = (labels == 0) | (labels == 1), f"must be 0 or 1 for a {predictor_type}"
    check_rows(right, labels, channel, before, rule, remedy)


def checked_weights(batch: Batch, channel: str, before: int = 0) -> Floats | None:
    """(rows,) weights, or None where all weigh the same.

    Raises:
        CallerError: one is negative or not finite; the first such is named.
    """
    weights = batch.weights
    if weights is not None:
        right = np.isfinite(weights) & (weights >= 0)
        rule = "must be a finite number of at least 0"
        check_rows(right, weights, channel, before, rule, what="weight")
    return weights


def check_rows(
    right: Booleans,
    values: npt.NDArray[Any],
    channel: str,
    before: int,
    rule: str,
    remedy: str = "",
    *,
    what: str = "label",
) -> None:
    """Refuse the first row that breaks a rule.

    values: (rows, …), what the rows have. right: (rows,), or of the shape of `values`.
    """
    if right.all():
        return
    row = before + int(np.argmin(right.reshape(len(right), -1).all(axis=1))) + 1
    raise CallerError.of(f"channel {channel}, row {row}, {what}", rule, values[~right][0], remedy)
