"""What the report page shows of a clustering."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import linalg

from clary.codecs.batch import Batch, Floats
from clary.kit.figures import Bars, Heatmap, Points
from clary.kit.parallel import one_thread_blas
from clary.kit.width import widened

Array: TypeAlias = npt.NDArray[Any]

_MOST_BARS, _MOST_FEATURES, _MOST_POINTS = 40, 40, 1000
_BINS = 20


def cluster_sizes(sizes: Array) -> Bars:
    """The rows of each cluster; of many clusters, the largest."""
    shown = np.sort(np.argsort(-sizes, kind="stable")[:_MOST_BARS])
    left_out = len(sizes) - len(shown)
    return Bars(
        "Cluster sizes",
        [str(one) for one in shown],
        _numbers(sizes[shown]),
        "cluster",
        "training rows",
        caption=f"The {left_out:,} smaller clusters are left out." if left_out else "",
    )


def distances(found: Array) -> Bars:
    """How far rows are from their centers."""
    counts, edges = np.histogram(found.astype(np.float64), _BINS)
    return Bars(
        "Distances to the nearest center",
        [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)],
        _numbers(counts),
        "distance",
        "rows",
        edges=_numbers(edges),
        caption=f"Median {np.median(found):.4g}, largest {found.max():.4g}. "
        "Rows far out are like none of the centers.",
    )


def scatter(rows: Batch, width: int, clusters: Array) -> Points:
    """Rows in the plane of their first two principal components, colored by cluster."""
    kept = np.linspace(0, rows.rows - 1, min(rows.rows, _MOST_POINTS)).astype(np.intp)
    some = Batch(widened(rows.features[kept], width)).dense().astype(np.float64)
    first, second, share = _plane(some - some.mean(axis=0))
    return Points(
        "Clusters",
        "first principal component",
        "second principal component",
        _numbers(first),
        _numbers(second),
        group=[f"{int(one)}" for one in clusters[kept]],
        caption=f"The plane shows {share:.0%} of the variance.",
    )


def center_heatmap(centers: Floats) -> Heatmap:
    """The centers; of many features, those in which they differ most."""
    spread = centers.std(axis=0)
    features = np.sort(np.argsort(-spread, kind="stable")[:_MOST_FEATURES])
    shown = centers[:_MOST_BARS, features]
    few = centers.shape[1] <= _MOST_FEATURES
    return Heatmap(
        "Centers",
        [str(one) for one in range(len(shown))],
        [str(one) for one in features],
        shown.tolist(),
        "feature",
        "cluster",
        caption="" if few else f"The {_MOST_FEATURES} features in which the centers differ most.",
    )


def _plane(rows: Array) -> tuple[Array, Array, float]:
    """Both coordinates, and the share of the variance that they have; rows are centered."""
    count, width = rows.shape
    smaller = min(count, width)
    top = (max(0, smaller - 2), smaller - 1)
    with one_thread_blas():
        if width <= count:
            scaled = rows @ linalg.eigh(rows.T @ rows, subset_by_index=top)[1]
        else:
            values, vectors = linalg.eigh(rows @ rows.T, subset_by_index=top)
            scaled = vectors * np.sqrt(np.maximum(values, 0))
    if smaller == 1:
        scaled = np.hstack([np.zeros((count, 1)), scaled])
    total = max(float(np.vdot(rows, rows)), np.finfo(np.float64).tiny)
    return scaled[:, 1], scaled[:, 0], float((scaled**2).sum() / total)


def _numbers(values: Array) -> list[float]:
    return [float(value) for value in values]
