"""Scores of two classes: how they spread, and whether they are probabilities."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.kit.bars import histogram
from clary.kit.figures import Bars, Figure, Lines

Array: TypeAlias = npt.NDArray[Any]

BINS = 10


def spread(score: Array, caption: str, title: str = "Spread of the scores") -> Bars:
    """A histogram, of all probabilities where the scores can be such."""
    span = (0.0, 1.0) if _can_be_probabilities(score) else None
    return histogram(title, score, "score", span=span, caption=caption)


def calibration(label: Array, score: Array) -> list[Figure]:
    """Share of label 1 by score, in bins of equal width; nothing where scores leave 0 to 1.

    label, score: (rows,).
    """
    if not _can_be_probabilities(score):
        return []
    bins = np.minimum((score * BINS).astype(np.intp), BINS - 1)
    return [
        Lines(
            "Calibration",
            "mean score",
            "share of label 1",
            {"model": by_bin(bins, score, label)},
            unit=True,
            diagonal=True,
            caption="On the diagonal, scores are probabilities.",
        )
    ]


def by_bin(bins: Array, score: Array, label: Array) -> tuple[list[float], list[float]]:
    """Mean score and mean label of each bin that has rows. bins: (rows,) below `BINS`."""
    counts = np.bincount(bins, minlength=BINS)
    filled = counts > 0
    means, shares = (
        np.bincount(bins, values, BINS)[filled] / counts[filled] for values in (score, label)
    )
    return means.tolist(), shares.tolist()


def _can_be_probabilities(score: Array) -> bool:
    return bool(((score >= 0) & (score <= 1)).all())
