"""What the report page shows of a clustering."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import linalg

from clary.codecs.batch import Batch, Floats
from clary.kit.bars import histogram
from clary.kit.figures import Bars, Heatmap, Pin, Points
from clary.kit.parallel import one_thread_blas
from clary.kit.width import widened

Array: TypeAlias = npt.NDArray[Any]

_MOST_BARS, _MOST_FEATURES, _MOST_POINTS, _MOST_PINS = 40, 40, 1000, 60


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
    return histogram(
        "Distances to the nearest center",
        found,
        "distance",
        caption=f"Median {np.median(found):.4g}, largest {found.max():.4g}. "
        "Rows far out are like none of the centers.",
    )


def scatter(rows: Batch, centers: Floats, clusters: Array, apart: Array) -> Points:
    """Rows in the plane of their first two principal components, colored by cluster, and centers.

    clusters, apart: (rows,), each row's cluster and how far it is from its center.
    """
    kept = np.linspace(0, rows.rows - 1, min(rows.rows, _MOST_POINTS)).astype(np.intp)
    some = Batch(widened(rows.features[kept], centers.shape[1])).dense().astype(np.float64)
    mean = some.mean(axis=0)
    axes, share = _plane(some - mean)
    with one_thread_blas():
        places = (some - mean) @ axes
    shown = _most_frequent(clusters[kept].astype(np.intp))
    pinned = (centers[shown] - mean) @ axes
    left_out = len(centers) - len(shown)
    return Points(
        "Clusters",
        "first principal component",
        "second principal component",
        _numbers(places[:, 0]),
        _numbers(places[:, 1]),
        group=[f"{int(one)}" for one in clusters[kept]],
        hover=[
            f"row {row}, {far:.4g} from its center"
            for row, far in zip(kept, apart[kept], strict=True)
        ],
        grouped_by="cluster",
        pins=[
            Pin(x, y, f"center of cluster {one}", f"{one}")
            for one, (x, y) in zip(shown, pinned.tolist(), strict=True)
        ],
        caption=f"The plane shows {share:.0%} of the variance. Ringed: centers"
        + (f", without {left_out:,} that few of these rows or none are near." if left_out else "."),
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


def _most_frequent(clusters: Array) -> list[int]:
    """The clusters that most rows are in, in order."""
    found, counts = np.unique(clusters, return_counts=True)
    most: list[int] = np.sort(found[np.argsort(-counts, kind="stable")[:_MOST_PINS]]).tolist()
    return most


def _plane(rows: Array) -> tuple[Array, float]:
    """The first two principal axes, (width, 2), and their share of the variance; rows are centered.

    Where there is only one, the second is 0.
    """
    count, width = rows.shape
    smaller = min(count, width)
    top = (max(0, smaller - 2), smaller - 1)
    with one_thread_blas():
        if width <= count:
            values, axes = linalg.eigh(rows.T @ rows, subset_by_index=top)
        else:
            values, vectors = linalg.eigh(rows @ rows.T, subset_by_index=top)
            lengths = np.sqrt(np.maximum(values, np.finfo(np.float64).tiny))
            axes = rows.T @ vectors / lengths
    total = max(float(np.vdot(rows, rows)), np.finfo(np.float64).tiny)
    axes = np.hstack([axes[:, ::-1], np.zeros((width, 2 - axes.shape[1]))])
    return axes, float(np.maximum(values, 0).sum() / total)


def _numbers(values: Array) -> list[float]:
    return [float(value) for value in values]
