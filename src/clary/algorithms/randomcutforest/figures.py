"""What the report page shows of a forest: the series with its scores, and how scores spread."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from clary.algorithms.randomcutforest.trees import Doubles, Floats
from clary.kit.bars import histogram
from clary.kit.figures import Figure, Lines

_MOST_POINTS = 1500
# Enough for a direction to look along, and quick with ten thousand features
_DIRECTION_ROWS = 300


def series(rows: Floats, scores: Doubles, limit: float) -> list[Figure]:
    """The rows in their order, by one number each, and below them their scores."""
    values, name = _one_number(rows)
    shown = _shown(scores)
    places = shown.tolist()
    caption = f"{int((scores > limit).sum()):,} of {len(scores):,} rows are above the dashed line."
    if len(shown) < len(scores):
        caption += " Of each stretch of rows the one with the highest score is shown."
    return [
        Lines("Rows in order", "row", name, {name: (places, values[shown].tolist())}),
        Lines(
            "Their scores",
            "row",
            "score",
            {"score": (places, scores[shown].tolist())},
            level=limit if np.isfinite(limit) else None,
            caption=f"Dashed: mean and three standard deviations in training, {limit:.4g}. "
            + caption,
        ),
    ]


def spread(scores: Doubles, limit: float, label: npt.NDArray[np.float32] | None) -> Figure:
    """A histogram of the scores."""
    caption = f"Scores above {limit:.4g} are anomalous."
    if label is not None and label.ndim == 1 and 0 < (label == 1).sum() < len(label):
        odd = label == 1
        caption += (
            f" Anomalies (label 1) have {np.median(scores[odd]):.3g} in the median, other rows "
            f"{np.median(scores[~odd]):.3g}."
        )
    return histogram("Spread of the scores", scores, "score", caption=caption)


def _one_number(rows: Floats) -> tuple[Doubles, str]:
    """Each row as one number: its only feature, or along the first principal direction."""
    if rows.shape[1] == 1:
        return rows[:, 0].astype(np.float64), "feature 0"
    mean, deviation = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 0, deviation, 1.0)
    some = (rows[:: max(1, len(rows) // _DIRECTION_ROWS)] - mean) / scale
    direction = np.linalg.svd(some, full_matrices=False)[2][0]
    direction *= np.sign(direction[np.abs(direction).argmax()]) or 1.0
    along = direction / scale
    return rows @ along - mean @ along, "first principal component"


def _shown(scores: Doubles) -> npt.NDArray[np.intp]:
    """At most so many rows, in order; peaks are kept."""
    if len(scores) <= _MOST_POINTS:
        return np.arange(len(scores))
    cuts = np.linspace(0, len(scores), _MOST_POINTS + 1).astype(np.intp)
    peaks = [start + int(scores[start:stop].argmax()) for start, stop in pairwise(cuts)]
    return np.array(peaks, dtype=np.intp)
