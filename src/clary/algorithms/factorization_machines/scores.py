"""Scores of predictions against labels, as tallies that batches and hosts add to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

THRESHOLD = 0.5
# The place of the weight of label 1 in a classifier's tally
POSITIVE = 2


def chances(margins: Floats) -> Floats:
    """(rows,): the probability of label 1 of log odds."""
    return np.asarray(expit(margins))


def tally(predictor_type: str, label: Floats, margins: Floats, weights: Floats | None) -> Doubles:
    """What scores are made of, to be added up: (numbers,).

    margins: (rows,), scores of regressors, log odds of classifiers.
    """
    each: Floats | Doubles = np.ones(len(label)) if weights is None else weights
    margin, truth = margins.astype(np.float64), label.astype(np.float64)
    if predictor_type == "regressor":
        error = np.abs(margin - truth)
        parts = [np.ones(len(label)), np.square(error), error]
    else:
        predicted, positive = chances(margins) >= THRESHOLD, truth > 0
        loss = np.logaddexp(0, margin) - truth * margin
        parts = [np.ones(len(label)), loss, positive, predicted, positive & predicted]
    return np.array([np.dot(one, each) for one in parts], dtype=np.float64)


def scores_of(predictor_type: str, total: Doubles) -> Mapping[str, float]:
    """The scores by the metrics' names, from tallies added up."""
    weight, *rest = (float(one) for one in total)
    if predictor_type == "regressor":
        squared, absolute = (one / weight for one in rest)
        return {"rmse": squared**0.5, "mse": squared, "absolute_loss": absolute}
    loss, positive, predicted, both = rest
    wrong = positive + predicted - 2 * both
    return {
        "binary_classification_accuracy": (weight - wrong) / weight,
        "binary_classification_cross_entropy": loss / weight,
        "binary_f_beta": 2 * both / (positive + predicted) if positive + predicted else 0.0,
    }
