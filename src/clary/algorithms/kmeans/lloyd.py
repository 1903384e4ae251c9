"""Lloyd's algorithm on weighted rows, and the ways to start it.

Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007, with the best
of several candidates at each step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clary.algorithms.kmeans.assignment import (
    Doubles,
    Integers,
    Map,
    Rows,
    near_origin,
    squared_lengths,
    tallied,
)
from clary.codecs.batch import Features, Floats
from clary.kit.cluster import Cluster

ONE_HOST = Cluster()
# Of float32 sums of squares, relative
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Clustering:
    """centers: (k, width), relative to the origin; counts: (k,), the weight each got.

    msd: the mean squared distance; first_msd: that of the centers it began with.
    """

    centers: Doubles
    counts: Doubles
    msd: float
    first_msd: float


@dataclass(frozen=True)
class Lloyd:
    """When Lloyd's iterations end: the msd falls by less than the fraction `tol`, or at a cap.

    hurry: whether they must end now, whatever they reached.
    """

    max_iter: int
    tol: float
    origin: Floats
    hurry: Callable[[], bool] = lambda: False

    def run(
        self,
        chunks: Sequence[Rows],
        start: Doubles,
        over: Map = map,
        cluster: Cluster = ONE_HOST,
    ) -> Clustering:
        """Iterate from `start`, (k, width). A center without rows stays where it is.

        With a cluster, the rows of all hosts count.
        """
        centers, first, last = start, 0.0, np.inf
        for iteration in range(self.max_iter + 1):
            tally = tallied(chunks, centers, self.origin, over).over(cluster)
            msd = tally.loss / float(tally.counts.sum())
            first = first if iteration else msd
            if iteration == self.max_iter or msd >= (1 - self.tol) * last:
                break
            if cluster.all_reduce(np.array([int(self.hurry())]))[0]:
                break
            last = msd
            filled = tally.counts > 0
            centers = centers.copy()
            centers[filled] = tally.sums[filled] / tally.counts[filled, None]
        return Clustering(centers, tally.counts, msd, first)


def random_start(rows: Rows, count: int, rng: np.random.Generator) -> Integers:
    """Positions of `count` different rows, or of all that differ if there are fewer."""
    features = rows.features
    draw = rng.random(features.shape[1])
    # Rows that differ have different products with a random vector
    if isinstance(features, np.ndarray):
        marks = np.einsum("ij,j->i", features, draw)
    else:
        marks = features @ draw
    different = np.unique(marks, return_index=True)[1]
    return rng.permutation(different)[:count]


def plus_plus_start(
    rows: Rows, count: int, origin: Floats, rng: np.random.Generator, candidates: int = 1
) -> Integers:
    """Positions of `count` rows, each drawn by its weighted squared distance to those before.

    Of several candidates at a step, that which leaves the least loss is taken. Where fewer rows
    differ, fewer positions come back.
    """
    near = near_origin(rows.features, origin)
    squares = squared_lengths(near)
    weights = np.ones(rows.count) if rows.weights is None else rows.weights.astype(np.float64)
    chosen = [_draws(weights, 1, rng)]
    distances = _squared_distances(near, squares, chosen[0])[:, 0]
    while len(chosen) < count and (distances @ weights) > 0:
        drawn = _draws(distances * weights, candidates, rng)
        reduced = np.minimum(distances[:, None], _squared_distances(near, squares, drawn))
        best = int(np.argmin(weights @ reduced))
        chosen.append(drawn[best : best + 1])
        distances = reduced[:, best]
    return np.concatenate(chosen)


def _draws(weights: Doubles, count: int, rng: np.random.Generator) -> Integers:
    """Positions drawn by weight; none of weight 0."""
    ends = np.cumsum(weights)
    drawn = np.searchsorted(ends, rng.random(count) * ends[-1], side="right")
    positions: Integers = np.minimum(drawn, np.flatnonzero(weights)[-1])
    return positions


def _squared_distances(rows: Features, squares: Floats, to: Integers) -> Floats:
    """(rows, to), of rows to some of themselves."""
    others = rows[to]
    products = rows @ (others.T if isinstance(others, np.ndarray) else others.toarray().T)
    distances: Floats = squares[:, None] - 2 * products + squares[to]
    # What is left over between a row and itself is rounding
    distances[distances < _ROUNDING * (squares[:, None] + squares[to])] = 0
    return distances
