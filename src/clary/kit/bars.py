"""Bars that many reports show: how numbers spread, and which features count most."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.codecs.batch import Batch
from clary.kit.figures import Bars

Array: TypeAlias = npt.NDArray[Any]

_BINS, _MOST_BARS = 30, 20


def histogram(
    title: str,
    values: Array,
    x_label: str,
    *,
    span: tuple[float, float] | None = None,
    caption: str = "",
) -> Bars:
    """How many rows have which values. span: what the bars cover, else all values."""
    counts, edges = np.histogram(values.astype(np.float64), _BINS, span)
    return Bars(
        title,
        [f"{edge:.3g}" for edge in edges[:-1]],
        counts.tolist(),
        x_label,
        "rows",
        edges=edges.tolist(),
        caption=caption,
    )


def largest(title: str, values: Array, x_label: str, caption: str) -> Bars:
    """The features with the largest numbers, whatever their sign. values: (width,)."""
    shown = np.argsort(-np.abs(values), kind="stable")[:_MOST_BARS]
    return Bars(
        title,
        [f"feature {one}" for one in shown],
        values[shown].tolist(),
        x_label,
        horizontal=True,
        caption=f"{caption} Feature 0 is the first column after the label.",
    )


def effects(weights: Array, rows: Batch) -> Bars:
    """The features that count most in a linear model: weight times deviation in some rows.

    weights: (width,).
    """
    features = rows.features.astype(np.float64)
    means = np.asarray(features.mean(axis=0)).ravel()
    squares = np.asarray((features * features).mean(axis=0)).ravel()
    moves = weights[: len(means)] * np.sqrt(np.maximum(squares - means**2, 0))
    caption = (
        "How far the score, before any link or calibration, moves when the feature grows by one "
        "standard deviation."
    )
    return largest("Features that count most", moves, "weight × deviation", caption)
