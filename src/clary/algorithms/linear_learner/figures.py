"""What the report page shows of the answers to held-out rows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from clary.algorithms.linear_learner.scores import Answers
from clary.codecs.batch import Batch
from clary.kit.figures import Bars, Figure, Lines
from clary.kit.quality import class_rankings, confusion, ranking, regression

_BINS = 10
_MOST_BARS = 20


def figures_of(predictor_type: str, answers: Answers, threshold: float) -> list[Figure]:
    """The figures for the kind of target."""
    if predictor_type == "regressor":
        return regression(answers.label, answers.score)
    if predictor_type == "multilabel_classifier":
        return [_by_label(answers)]
    if predictor_type == "binary_classifier":
        return [
            confusion(answers.label, answers.predicted, 2),
            *ranking(answers.label > 0, answers.score),
            *_calibration(answers, threshold),
        ]
    classes = answers.score.shape[1]
    return [
        confusion(answers.label, answers.predicted, classes),
        *class_rankings(answers.label, answers.score),
    ]


def effects(weights: npt.NDArray[np.float32], rows: Batch) -> Bars:
    """The features that count most: weight times deviation in some rows.

    weights: (width,).
    """
    features = rows.features.astype(np.float64)
    means = np.asarray(features.mean(axis=0)).ravel()
    squares = np.asarray((features * features).mean(axis=0)).ravel()
    deviation = np.sqrt(np.maximum(squares - means**2, 0))
    moves = weights[: len(deviation)] * deviation
    order = np.argsort(-np.abs(moves), kind="stable")[:_MOST_BARS]
    return Bars(
        "Features that count most",
        [f"feature {one}" for one in order],
        _numbers(moves[order]),
        "weight × deviation",
        horizontal=True,
        caption="How far the score, before any link, moves when the feature grows by one standard "
        "deviation. Feature 0 is the first column after the label.",
    )


def _calibration(answers: Answers, threshold: float) -> list[Figure]:
    low, high = float(answers.score.min()), float(answers.score.max())
    probable = low >= 0 and high <= 1
    edges = np.linspace(0, 1, _BINS + 1) if probable else np.linspace(low, high, _BINS + 1)
    bins = np.clip(np.digitize(answers.score, edges) - 1, 0, _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    told = Bars(
        "Spread of the scores",
        [f"{left:.2g} to {right:.2g}" for left, right in pairwise(edges)],
        _numbers(counts),
        "score",
        "rows",
        edges=_numbers(edges),
        caption=f"Rows from {threshold:.3g} on are labelled 1.",
    )
    if not probable:
        return [told]
    filled = counts > 0
    means = np.bincount(bins, answers.score, _BINS)[filled] / counts[filled]
    shares = np.bincount(bins, answers.label, _BINS)[filled] / counts[filled]
    curve = Lines(
        "Calibration",
        "mean score",
        "share of label 1",
        {"model": (_numbers(means), _numbers(shares))},
        unit=True,
        diagonal=True,
        caption="On the diagonal, scores are probabilities.",
    )
    return [told, curve]


def _by_label(answers: Answers) -> Bars:
    right = ((answers.label > 0) == (answers.predicted > 0)).mean(axis=0)
    names = [str(one) for one in range(len(right))]
    return Bars("Accuracy by label", names, _numbers(right), "label", "accuracy")


def _numbers(values: npt.NDArray[np.generic]) -> list[float]:
    return [float(value) for value in values.tolist()]
