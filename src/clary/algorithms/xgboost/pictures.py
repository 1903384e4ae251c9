"""What the report page shows of a model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clary.algorithms.xgboost import objectives
from clary.algorithms.xgboost.metrics import classes
from clary.codecs.batch import Floats
from clary.kit.figures import Bars, Figure, Heatmap, Lines, Points

_MOST_BARS = 20
_MOST_POINTS = 2000
_MOST_CLASSES = 40


def importance_bars(gains: Mapping[str, float]) -> Bars:
    """The features whose splits gain most, the greatest first."""
    names = list(gains)[:_MOST_BARS]
    return Bars(
        "Importance of features",
        names,
        [float(gains[name]) for name in names],
        x_label="mean gain of a split",
        horizontal=True,
        caption=f"f0 is the first column after the label; {len(gains)} features are split on.",
    )


def pictures(objective: str, label: Floats, score: Floats) -> list[Figure]:
    """How predictions of rows compare with their labels."""
    kind = objectives.kind(objective)
    if kind in {"binary", "multiclass"}:
        found: list[Figure] = [_confusion(label, classes(objective, score))]
        ranks = kind == "binary" and objective != "binary:hinge" and len(np.unique(label)) == 2
        return found + (_curves(label, score) if ranks else [])
    return [_predicted(label, score), _residuals(label, score)] if kind == "regression" else []


def _confusion(label: Floats, predicted: np.ndarray) -> Heatmap:
    size = min(_MOST_CLASSES, int(max(label.max(), predicted.max())) + 1)
    counts = np.zeros((size, size))
    shown = (label < size) & (predicted < size)
    np.add.at(counts, (label[shown].astype(int), predicted[shown]), 1)
    names = [str(number) for number in range(size)]
    return Heatmap(
        "Confusion matrix",
        names,
        names,
        counts.tolist(),
        x_label="predicted class",
        y_label="class",
    )


def _curves(label: Floats, score: Floats) -> list[Figure]:
    """ROC and precision-recall; a point for each distinct score, thinned out."""
    order = np.argsort(-score, kind="stable")
    positive = label[order] == 1
    ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    right, wrong = np.cumsum(positive)[ends], np.cumsum(~positive)[ends]
    kept = np.unique(np.linspace(0, len(ends) - 1, _MOST_POINTS).astype(int))
    right, wrong = right[kept], wrong[kept]
    recall, false_rate = right / positive.sum(), wrong / (~positive).sum()
    area = float(
        np.sum(np.diff(np.r_[0, false_rate]) * (np.r_[0, recall][1:] + np.r_[0, recall][:-1]) / 2)
    )
    roc = (np.r_[0, false_rate].tolist(), np.r_[0, recall].tolist())
    precision = (recall.tolist(), (right / (right + wrong)).tolist())
    return [
        Lines(
            f"ROC curve, area {area:.4f}",
            "false positive rate",
            "true positive rate",
            {"held-out rows": roc},
            diagonal=True,
        ),
        Lines("Precision and recall", "recall", "precision", {"held-out rows": precision}),
    ]


def _predicted(label: Floats, score: Floats) -> Points:
    shown = _sample(len(label))
    return Points(
        "Predictions",
        "label",
        "prediction",
        label[shown].tolist(),
        score[shown].tolist(),
        diagonal=True,
    )


def _residuals(label: Floats, score: Floats) -> Points:
    shown = _sample(len(label))
    return Points(
        "Residuals",
        "prediction",
        "label - prediction",
        score[shown].tolist(),
        (label - score)[shown].tolist(),
    )


def _sample(rows: int) -> np.ndarray:
    """Rows at equal distances, not too many for a page."""
    return np.unique(np.linspace(0, rows - 1, min(rows, _MOST_POINTS)).astype(int))
