"""What the report page shows of a model."""

from __future__ import annotations

from collections.abc import Mapping

from clary.algorithms.xgboost import objectives
from clary.algorithms.xgboost.metrics import classes
from clary.codecs.batch import Floats
from clary.kit.figures import Bars, Figure
from clary.kit.quality import class_rankings, confusion, ranking, regression

_MOST_BARS = 20


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
    if kind == "regression":
        return regression(label, score)
    if kind not in {"binary", "multiclass"}:
        return []
    predicted = classes(objective, score)
    count = max(int(label.max()), int(predicted.max())) + 1
    found: list[Figure] = [confusion(label, predicted, max(2, count))]
    if kind == "binary" and objective != "binary:hinge":
        found += ranking(label == 1, score)
    if score.ndim == 2:
        found += class_rankings(label, score)
    return found
