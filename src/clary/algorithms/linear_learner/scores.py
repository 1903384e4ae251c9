"""Scores of a model on labelled rows, gathered batch by batch; each equals scikit-learn's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Answers:
    """What a model says to some rows.

    label, score, predicted: one entry a row; (rows, labels) where there are several labels, and
    `score` (rows, classes) for several classes. loss: sum of the weighted training loss; weight:
    sum of the weights.
    """

    label: Floats
    score: Floats
    predicted: Integers
    loss: float
    weight: float


def regression_scores(answers: Iterable[Answers]) -> dict[str, float]:
    """absolute_loss, mse and rmse."""
    rows, absolute, squared = 0, 0.0, 0.0
    for one in answers:
        errors = one.score.astype(np.float64) - one.label
        rows += len(errors)
        absolute += float(np.abs(errors).sum())
        squared += float(np.square(errors).sum())
    return {
        "absolute_loss": absolute / rows,
        "mse": squared / rows,
        "rmse": (squared / rows) ** 0.5,
    }


def binary_scores(answers: Iterable[Answers], beta: float) -> dict[str, float]:
    """Accuracy, F-beta, precision, recall, and the area under the ROC curve (NaN for one class)."""
    labels, scores, hits = [], [], _Hits(2)
    for one in answers:
        labels.append(one.label > 0)
        scores.append(one.score)
        hits.add(one.label.astype(np.int64), one.predicted)
    precision, recall, f_beta = hits.rates(beta)
    return {
        "binary_classification_accuracy": hits.accuracy,
        "binary_f_beta": float(f_beta[1]),
        "precision": float(precision[1]),
        "recall": float(recall[1]),
        "roc_auc_score": area_under_roc(np.concatenate(scores), np.concatenate(labels)),
    }


def multiclass_scores(
    answers: Iterable[Answers], classes: int, beta: float, top_k: int
) -> dict[str, float]:
    """Accuracy, top-k accuracy, discounted cumulative gain, and the macro scores."""
    hits, near, gain = _Hits(classes), 0, 0.0
    for one in answers:
        labels = one.label.astype(np.int64)
        hits.add(labels, one.predicted)
        own = np.take_along_axis(one.score, labels[:, None], axis=1)
        higher = (one.score > own).sum(axis=1)
        equal = one.score == own
        # Of equal scores the last counts as the highest
        later = np.arange(classes) > labels[:, None]
        near += int((higher + (equal & later).sum(axis=1) < top_k).sum())
        gain += float(_gains(higher, equal.sum(axis=1), classes).sum())
    rows = float(hits.actual.sum())
    return {
        "multiclass_accuracy": hits.accuracy,
        "multiclass_top_k_accuracy": near / rows,
        "dcg": gain / rows,
        **hits.macro(beta, hits.seen),
    }


def multilabel_scores(answers: Iterable[Answers], outputs: int, beta: float) -> dict[str, float]:
    """Share of single labels that are right, and the macro scores over the labels."""
    hits, right, entries = _Hits(outputs), 0, 0
    for one in answers:
        labels = one.label > 0
        hits.right += (labels & (one.predicted > 0)).sum(axis=0)
        hits.actual += labels.sum(axis=0)
        hits.predicted += (one.predicted > 0).sum(axis=0)
        right += int((labels == (one.predicted > 0)).sum())
        entries += labels.size
    every = np.ones(outputs, dtype=bool)
    return {"multilabel_accuracy": right / entries, **hits.macro(beta, every)}


def area_under_roc(scores: Floats, labels: npt.NDArray[np.bool_]) -> float:
    """The chance that a positive row scores higher than a negative one; equals count a half."""
    order = np.argsort(scores)
    ranked, positive = scores[order], labels[order].astype(np.int64)
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    positives = np.diff(np.cumsum(positive)[ends], prepend=0)
    negatives = np.diff(ends + 1, prepend=0) - positives
    pairs = float(positives.sum()) * float(negatives.sum())
    below = np.cumsum(negatives) - negatives / 2
    return float((positives * below).sum() / pairs) if pairs else float("nan")


class _Hits:
    """Rows of each class: rightly predicted, predicted, actual."""

    def __init__(self, classes: int) -> None:
        self.right = np.zeros(classes)
        self.predicted = np.zeros(classes)
        self.actual = np.zeros(classes)

    def add(self, labels: Integers, predicted: Integers) -> None:
        classes = len(self.right)
        self.right += np.bincount(labels[labels == predicted], minlength=classes)
        self.predicted += np.bincount(predicted, minlength=classes)
        self.actual += np.bincount(labels, minlength=classes)

    @property
    def accuracy(self) -> float:
        return float(self.right.sum() / self.actual.sum())

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """Classes that occur, rightly or wrongly."""
        return (self.actual + self.predicted) > 0

    def rates(self, beta: float) -> tuple[Doubles, Doubles, Doubles]:
        """Precision, recall and F-beta of each class; 0 where there is nothing to divide by."""
        share = beta**2 * self.actual + self.predicted
        return (
            self.right / np.maximum(self.predicted, 1),
            self.right / np.maximum(self.actual, 1),
            (1 + beta**2) * self.right / np.where(share > 0, share, 1),
        )

    def macro(self, beta: float, classes: npt.NDArray[np.bool_]) -> dict[str, float]:
        precision, recall, f_beta = (float(one[classes].mean()) for one in self.rates(beta))
        return {"macro_precision": precision, "macro_recall": recall, "macro_f_beta": f_beta}


def _gains(higher: Integers, equal: Integers, classes: int) -> Doubles:
    """1 / log2(1 + place) of the right class; among equal scores the mean over their places."""
    total = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, classes + 2)))])
    return np.asarray((total[higher + equal] - total[higher]) / equal)
