"""What the report page shows of a factorization machine."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.factorization_machines.scores import THRESHOLD
from clary.kit.bars import largest
from clary.kit.calibration import BINS, by_bin, calibration, spread
from clary.kit.figures import Figure, Lines
from clary.kit.quality import confusion, ranking, regression

Array: TypeAlias = npt.NDArray[Any]


def figures_of(predictor_type: str, label: Array, score: Array) -> list[Figure]:
    """How scores compare with labels. label, score: (rows,)."""
    if predictor_type == "regressor":
        return [_reliability(label, score), *regression(label, score)]
    return [
        *calibration(label, score),
        *ranking(label > 0, score),
        confusion(label, score >= THRESHOLD, 2),
        spread(score, f"Rows from {THRESHOLD:g} on are labelled 1."),
    ]


def effects(linear: Array, lengths: Array) -> list[Figure]:
    """The features with the largest weights and with the longest vectors; both (width,)."""
    return [
        largest("Largest linear weights", linear, "weight", "What the feature adds on its own."),
        largest(
            "Longest factor vectors",
            lengths,
            "length",
            "Features with long vectors change what others add.",
        ),
    ]


def _reliability(label: Array, score: Array) -> Lines:
    """Bins of equally many rows."""
    order = np.argsort(score, kind="stable")
    bins = np.empty(len(score), np.intp)
    bins[order] = np.arange(len(score)) * BINS // max(1, len(score))
    means, truths = by_bin(bins, score, label)
    return Lines(
        "Calibration",
        "mean prediction",
        "mean true value",
        {"model": (means, truths)},
        diagonal=True,
        caption="Tenths of the rows by prediction; on the diagonal they are right on average.",
    )
