"""Losses: the value for each model and row, and the slope with respect to the score.

Scores come as (models, rows), or (models, outputs, rows) where a model has several outputs. A loss
gives values of shape (models, rows) and writes the slopes over the scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters

Floats: TypeAlias = npt.NDArray[np.float32]
Labels: TypeAlias = npt.NDArray[np.float32]

# exp(80) is still a float32
_STEEPEST = np.float32(80.0)


@dataclass(frozen=True)
class Loss:
    """`objective` names it in the log; `unit` is what a value of 1 is for labels as they came.

    `vector` says that scores come with an axis of outputs.
    """

    objective: str
    unit: float
    measure: Callable[[Floats, Labels], Floats]
    vector: bool = False


def loss_of(params: LinearLearnerHyperparameters, unit: float = 1.0) -> Loss:
    """The settled loss, for labels divided by `unit`.

    Lengths given in the label's unit (huber_delta, loss_insensitivity) are divided too, so that
    scaling labels changes nothing but the conditioning.
    """
    delta = np.float32(params.huber_delta / unit)
    # Errors are mostly far beyond a small delta; slopes of that size would be lost beside penalties
    largest_slope = np.float32(min(1.0, float(delta)))
    allowed = np.float32(params.loss_insensitivity / unit)
    quantile, margin = np.float32(params.quantile), np.float32(params.margin)
    if params.predictor_type == "multilabel_classifier":
        return Loss("multilabel_cross_entropy", 1, _multilabel, vector=True)
    return {
        "logistic": Loss("binary_classification_cross_entropy", 1, _logistic),
        "hinge_loss": Loss("hinge", 1, lambda z, y: _hinge(z, y, margin)),
        "softmax_loss": Loss("multiclass_cross_entropy", 1, _softmax, vector=True),
        "squared_loss": Loss("mse", unit**2, _squared),
        "absolute_loss": Loss("absolute", unit, _absolute),
        "eps_insensitive_squared_loss": Loss(
            "eps_insensitive_squared", unit**2, lambda z, y: _insensitive_squared(z, y, allowed)
        ),
        "eps_insensitive_absolute_loss": Loss(
            "eps_insensitive_absolute", unit, lambda z, y: _insensitive_absolute(z, y, allowed)
        ),
        "quantile_loss": Loss("quantile", unit, lambda z, y: _quantile(z, y, quantile)),
        "huber_loss": Loss(
            "huber", unit**2 * float(largest_slope), lambda z, y: _huber(z, y, delta, largest_slope)
        ),
    }[params.loss]


def _logistic(scores: Floats, labels: Labels) -> Floats:
    """Cross entropy of 0/1 labels: log(1 + exp(u)), u the score with the wrong sign."""
    sign = 1 - 2 * labels
    scores *= sign
    np.minimum(scores, _STEEPEST, out=scores)
    np.exp(scores, out=scores)
    scores += 1
    values = np.log(scores)
    np.reciprocal(scores, out=scores)
    np.subtract(1, scores, out=scores)
    scores *= sign
    return values


def _multilabel(scores: Floats, labels: Labels) -> Floats:
    """Mean of the labels' cross entropies; labels are (rows, outputs)."""
    values: Floats = _logistic(scores, np.ascontiguousarray(labels.T)).mean(axis=1)
    scores /= labels.shape[1]
    return values


def _softmax(scores: Floats, labels: Labels) -> Floats:
    """Cross entropy of the class numbers."""
    right, rows = labels.astype(np.intp), np.arange(scores.shape[2])
    scores -= scores.max(axis=1, keepdims=True)
    values: Floats = -scores[:, right, rows]
    np.exp(scores, out=scores)
    total = scores.sum(axis=1, keepdims=True)
    scores /= total
    scores[:, right, rows] -= 1
    values += np.log(total[:, 0])
    return values


def _hinge(scores: Floats, labels: Labels, margin: np.float32) -> Floats:
    sign = 2 * labels - 1
    values: Floats = np.maximum(margin - sign * scores, 0)
    np.multiply(values > 0, -sign, out=scores)
    return values


def _squared(scores: Floats, labels: Labels) -> Floats:
    """The squared error; the slope is that of its half, as is usual for weight decay."""
    scores -= labels
    return np.square(scores)


def _absolute(scores: Floats, labels: Labels) -> Floats:
    scores -= labels
    values = np.abs(scores)
    np.sign(scores, out=scores)
    return values


def _insensitive_squared(scores: Floats, labels: Labels, allowed: np.float32) -> Floats:
    scores -= labels
    scores -= np.clip(scores, -allowed, allowed)
    return np.square(scores)


def _insensitive_absolute(scores: Floats, labels: Labels, allowed: np.float32) -> Floats:
    scores -= labels
    scores -= np.clip(scores, -allowed, allowed)
    values = np.abs(scores)
    np.sign(scores, out=scores)
    return values


def _quantile(scores: Floats, labels: Labels, quantile: np.float32) -> Floats:
    """The pinball loss: its minimum lies where `quantile` of the labels are below."""
    scores -= labels
    values: Floats = np.maximum(-quantile * scores, (1 - quantile) * scores)
    np.subtract(scores > 0, quantile, out=scores)
    return values


def _huber(scores: Floats, labels: Labels, delta: np.float32, unit: np.float32) -> Floats:
    """The Huber loss, divided by `unit`."""
    scores -= labels
    slopes: Floats = np.clip(scores, -delta, delta)
    values: Floats = slopes * (scores - np.float32(0.5) * slopes)
    np.divide(slopes, unit, out=scores)
    return values / unit
