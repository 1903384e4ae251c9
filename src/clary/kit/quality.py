"""How predictions compare with labels, as figures: the same for every supervised algorithm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.kit.bars import histogram
from clary.kit.figures import Bars, Figure, Heatmap, Lines, Points

Array: TypeAlias = npt.NDArray[Any]

_MOST_CLASSES = 40
_MOST_CURVES = 10
_MOST_POINTS = 1000
_MOST_CORNERS = 250
_MANY = 1000


def confusion(label: Array, predicted: Array, classes: int, names: Sequence[str] = ()) -> Heatmap:
    """Rows by class and predicted class; of many classes, the most frequent.

    label, predicted: (rows,) whole numbers below `classes`. names: of the classes, else numbers.
    """
    counts = np.bincount(label.astype(np.intp), minlength=classes)
    shown = np.sort(np.argsort(-counts, kind="stable")[:_MOST_CLASSES])
    place = np.full(classes, -1)
    place[shown] = np.arange(len(shown))
    rows, columns = place[label.astype(np.intp)], place[predicted.astype(np.intp)]
    both = (rows >= 0) & (columns >= 0)
    table = np.zeros((len(shown), len(shown)))
    np.add.at(table, (rows[both], columns[both]), 1)
    told, left_out = [names[one] if names else str(one) for one in shown], classes - len(shown)
    return Heatmap(
        "Confusion matrix",
        told,
        told,
        table.tolist(),
        "predicted class",
        "true class",
        by_row=True,
        caption=f"{len(label):,} rows; the color is the share of the true class."
        + (f" The {left_out} classes with the fewest rows are left out." if left_out else ""),
    )


def ranking(positive: Array, score: Array) -> list[Figure]:
    """ROC and precision-recall curve of a score; nothing where all rows are of one kind.

    positive: (rows,) booleans; score: (rows,), greater for rows thought positive.
    """
    if positive.all() or not positive.any():
        return []
    false_rate, recall, precision = _corners(positive, score)
    share, average = float(positive.mean()), _average_precision(recall, precision)
    return [
        _roc(
            {"model": _thinned(false_rate, recall)},
            f"Area under the curve: {_area(false_rate, recall):.4f}.",
        ),
        Lines(
            "Precision and recall",
            "recall",
            "precision",
            {"model": _thinned(recall[1:], precision[1:])},
            unit=True,
            level=share,
            caption=f"Average precision: {average:.4f}. Dashed: what guessing gives ({share:.3f}).",
        ),
    ]


def class_rankings(label: Array, scores: Array) -> list[Figure]:
    """ROC and precision-recall curves, one class against the others; the most frequent classes.

    label: (rows,) classes; scores: (rows, classes).
    """
    counts = np.bincount(label.astype(np.intp), minlength=scores.shape[1])
    usable = np.flatnonzero((counts > 0) & (counts < len(label)))
    shown = np.sort(usable[np.argsort(-counts[usable], kind="stable")[:_MOST_CURVES]])
    if not len(shown):
        return []
    corners = {str(one): _corners(label == one, scores[:, one]) for one in shown}
    areas = [_area(false_rate, recall) for false_rate, recall, _ in corners.values()]
    averages = [_average_precision(recall, precision) for _, recall, precision in corners.values()]
    some = "" if len(shown) == len(usable) else f" {len(shown)} most frequent classes."
    return [
        _roc(
            {name: _thinned(x, y) for name, (x, y, _) in corners.items()},
            f"One class against the others; mean area {np.mean(areas):.4f}.{some}",
        ),
        Lines(
            "Precision and recall",
            "recall",
            "precision",
            {name: _thinned(x[1:], y[1:]) for name, (_, x, y) in corners.items()},
            unit=True,
            caption=f"One class against the others; mean average precision "
            f"{np.mean(averages):.4f}.{some}",
        ),
    ]


def regression(label: Array, predicted: Array) -> list[Figure]:
    """Predictions against labels, residuals against predictions, and how residuals spread."""
    chosen = np.unique(
        np.linspace(0, len(label) - 1, min(len(label), _MOST_POINTS)).astype(np.intp)
    )
    residual = label.astype(np.float64) - predicted
    return [
        Points(
            "Predicted and true values",
            "true",
            "predicted",
            label[chosen].tolist(),
            predicted[chosen].tolist(),
            diagonal=True,
        ),
        Points(
            "Residuals",
            "predicted",
            "true − predicted",
            predicted[chosen].tolist(),
            residual[chosen].tolist(),
            level=0.0,
            caption="A good fit leaves a cloud without shape around 0.",
        ),
        _spread(residual),
    ]


def _spread(residual: Array) -> Bars:
    """A histogram; of many residuals the hundredth farthest out is not in it."""
    root = float(np.sqrt(np.mean(residual**2)))
    many = len(residual) >= _MANY
    low, high = np.quantile(residual, [0.005, 0.995] if many else [0.0, 1.0])
    return histogram(
        "Spread of the residuals",
        residual,
        "true − predicted",
        span=(float(low), float(high)),
        caption=f"The root of their mean square is {root:.4g}."
        + (" The hundredth farthest out is left out." if many else ""),
    )


def _corners(positive: Array, score: Array) -> tuple[Array, Array, Array]:
    """False positive rate, recall and precision above each distinct score, from the greatest on."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    hits = np.cumsum(positive[order])[ends]
    misses = ends + 1 - hits
    false_rate = np.append(0.0, misses / max(int((~positive).sum()), 1))
    recall = np.append(0.0, hits / max(int(positive.sum()), 1))
    return false_rate, recall, np.append(1.0, hits / (ends + 1))


def _area(false_rate: Array, recall: Array) -> float:
    return float(np.sum(np.diff(false_rate) * (recall[1:] + recall[:-1]) / 2))


def _average_precision(recall: Array, precision: Array) -> float:
    return float(np.sum(np.diff(recall) * precision[1:]))


def _roc(series: dict[str, tuple[list[float], list[float]]], caption: str) -> Lines:
    return Lines(
        "ROC curve",
        "false positive rate",
        "true positive rate",
        series,
        unit=True,
        diagonal=True,
        caption=caption,
    )


def _thinned(x: Array, y: Array) -> tuple[list[float], list[float]]:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MOST_CORNERS)).astype(np.intp))
    return [round(float(one), 5) for one in x[kept]], [round(float(one), 5) for one in y[kept]]
