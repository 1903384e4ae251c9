"""What the report page shows of a factorization machine."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.factorization_machines.scores import THRESHOLD
from clary.kit.figures import Bars, Figure, Lines
from clary.kit.quality import confusion, ranking, regression

Array: TypeAlias = npt.NDArray[Any]

_BINS = 10
_MOST_BARS = 20


def figures_of(predictor_type: str, label: Array, score: Array) -> list[Figure]:
    """How scores compare with labels. label, score: (rows,)."""
    if predictor_type == "regressor":
        return [_reliability(label, score), *regression(label, score)]
    return [
        _calibration(label, score),
        *ranking(label > 0, score),
        confusion(label, score >= THRESHOLD, 2),
        _spread(score),
    ]


def effects(linear: Array, lengths: Array) -> list[Figure]:
    """The features with the largest weights and with the longest vectors; both (width,)."""
    return [
        _bars("Largest linear weights", linear, "weight", "What the feature adds on its own."),
        _bars(
            "Longest factor vectors",
            lengths,
            "length",
            "Features with long vectors change what others add.",
        ),
    ]


def _bars(title: str, values: Array, name: str, caption: str) -> Bars:
    shown = np.argsort(-np.abs(values), kind="stable")[:_MOST_BARS]
    return Bars(
        title,
        [f"feature {one}" for one in shown],
        _numbers(values[shown]),
        name,
        horizontal=True,
        caption=f"{caption} Features are counted from 0.",
    )


def _calibration(label: Array, score: Array) -> Lines:
    """Bins of equal width; where there are no rows there is no point."""
    bins = np.minimum((score * _BINS).astype(np.intp), _BINS - 1)
    means, shares = _by_bin(bins, score, label)
    return Lines(
        "Calibration",
        "mean score",
        "share of label 1",
        {"model": (means, shares)},
        unit=True,
        diagonal=True,
        caption="On the diagonal, scores are probabilities.",
    )


def _reliability(label: Array, score: Array) -> Lines:
    """Bins of equally many rows."""
    order = np.argsort(score, kind="stable")
    bins = np.empty(len(score), np.intp)
    bins[order] = np.arange(len(score)) * _BINS // max(1, len(score))
    means, truths = _by_bin(bins, score, label)
    return Lines(
        "Calibration",
        "mean prediction",
        "mean true value",
        {"model": (means, truths)},
        diagonal=True,
        caption="Tenths of the rows by prediction; on the diagonal they are right on average.",
    )


def _by_bin(bins: Array, score: Array, label: Array) -> tuple[list[float], list[float]]:
    counts = np.bincount(bins, minlength=_BINS)
    filled = counts > 0
    means, shares = (
        np.bincount(bins, values, _BINS)[filled] / counts[filled] for values in (score, label)
    )
    return _numbers(means), _numbers(shares)


def _spread(score: Array) -> Bars:
    counts, edges = np.histogram(score, _BINS, (0, 1))
    return Bars(
        "Spread of the scores",
        [f"{edge:.1f}" for edge in edges[:-1]],
        _numbers(counts),
        "score",
        "rows",
        edges=_numbers(edges),
        caption=f"Rows from {THRESHOLD:g} on are labelled 1.",
    )


def _numbers(values: Array) -> list[float]:
    return [float(value) for value in values.tolist()]
