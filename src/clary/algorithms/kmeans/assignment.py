"""Rows and their nearest centers, by matrix products over chunks of rows.

|x - c|² = |x|² - 2 (x·c - |c|²/2), so the nearest center is that of the greatest x·c - |c|²/2. In
float32 that is only safe near the origin: dense rows are moved by `origin`, a mean of some rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array

from clary.codecs.batch import Features, Floats
from clary.kit.cluster import Cluster

Doubles: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.intp]
Map: TypeAlias = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]

# Chunks depend on the rows only, so that sums have the same bits however many threads there are;
# they are as many as two, four or eight threads can share evenly
_MOST_ROWS, _FEWEST_ROWS, _PIECES = 1024, 512, 8
# Sparse rows fuller than this are quicker as dense ones
_SPARSE_BELOW = 0.05


@dataclass(frozen=True)
class Rows:
    """features: (rows, width), on their own scale; weights: (rows,) or None, meaning 1."""

    features: Features
    weights: npt.NDArray[Any] | None = None

    @property
    def count(self) -> int:
        return int(self.features.shape[0])

    def weights_or_ones(self) -> npt.NDArray[Any]:
        """(rows,)"""
        return np.ones(self.count, np.float32) if self.weights is None else self.weights

    def chunks(self) -> Iterator[Rows]:
        """The rows in pieces that one thread works on at a time."""
        rounds = max(1, math.ceil(self.count / (_MOST_ROWS * _PIECES)))
        size = max(_FEWEST_ROWS, math.ceil(self.count / (rounds * _PIECES)))
        for start in range(0, self.count, size):
            cut = slice(start, start + size)
            yield Rows(self.features[cut], None if self.weights is None else self.weights[cut])


@dataclass(frozen=True)
class Tally:
    """What came to each of K centers.

    sums: (K, width), of weighted rows, relative to the origin; counts: (K,), of weights.
    loss: the weighted sum of squared distances. labels: (rows,), the nearest center of each row.
    """

    sums: Doubles
    counts: Doubles
    loss: float
    labels: Integers

    def over(self, cluster: Cluster) -> Tally:
        """The sums over all hosts; labels remain those of this host's rows."""
        sums, counts = cluster.all_reduce(self.sums), cluster.all_reduce(self.counts)
        (loss,) = cluster.all_reduce(np.array([self.loss]))
        return Tally(sums, counts, float(loss), self.labels)


class Nearest:
    """Finds the nearest of K centers.

    centers: (K, width), relative to the origin.
    """

    def __init__(self, centers: Doubles, origin: Floats) -> None:
        self._centers = centers.astype(np.float32)
        self._origin = origin
        self._columns = np.ascontiguousarray(self._centers.T)
        self._half_squares = squared_lengths(self._centers) / 2

    def find(self, rows: Rows) -> tuple[Integers, Doubles]:
        """The nearest center and the squared distance to it of each row in a chunk, both (rows,).

        These distances are differences squared, where those in a tally are squares subtracted.
        """
        near = near_origin(rows.features, self._origin)
        labels, _ = self._best(near)
        if isinstance(near, np.ndarray):
            return labels, squared_lengths(near - self._centers[labels]).astype(np.float64)
        return labels, self._sparse_distances(near, labels)

    def distances(self, rows: Rows) -> Floats:
        """(rows, K), Euclidean, of a chunk."""
        near = near_origin(rows.features, self._origin).astype(np.float64)
        centers = self._centers.astype(np.float64)
        if not isinstance(near, np.ndarray):
            centers += self._origin
        products = squared_lengths(near)[:, None] - 2 * (near @ centers.T)
        distances: Floats = np.sqrt(np.maximum(products + squared_lengths(centers), 0))
        return distances.astype(np.float32)

    def tally(self, rows: Rows) -> Tally:
        """One chunk of rows, given to their nearest centers."""
        near = near_origin(rows.features, self._origin)
        labels, scores = self._best(near)
        weights = rows.weights_or_ones()
        sums, counts = sums_of(near, weights, labels, len(self._centers), self._origin)
        loss = self._squared_distances(near, scores) @ weights.astype(np.float64)
        return Tally(sums, counts, float(loss), labels)

    def _best(self, near: Features) -> tuple[Integers, Floats]:
        scores = near @ self._columns
        scores -= self._half_squares
        if not isinstance(near, np.ndarray):
            scores -= self._centers @ self._origin
        labels = scores.argmax(axis=1)
        return labels, scores[np.arange(len(labels)), labels]

    def _sparse_distances(self, near: csr_array, labels: Integers) -> Doubles:
        centers = self._centers.astype(np.float64) + self._origin
        rows = np.repeat(np.arange(len(labels)), np.diff(near.indptr))
        products = near.data * centers[labels[rows], near.indices]
        dots = np.bincount(rows, products, len(labels))
        squares = squared_lengths(near.astype(np.float64)) + squared_lengths(centers)[labels]
        distances: Doubles = np.maximum(squares - 2 * dots, 0)
        return distances

    def _squared_distances(self, near: Features, scores: Floats) -> Floats:
        squares = squared_lengths(near)
        if not isinstance(near, np.ndarray):
            squares = squares + self._origin @ self._origin - 2 * (near @ self._origin)
        distances: Floats = np.maximum(squares - 2 * scores, 0)
        return distances


def tallied(chunks: Iterable[Rows], centers: Doubles, origin: Floats, over: Map = map) -> Tally:
    """All chunks, given to their nearest centers; `over` is `map` or `ordered_map`."""
    nearest = Nearest(centers, origin)
    sums, counts, loss = np.zeros(centers.shape), np.zeros(len(centers)), 0.0
    labels: list[Integers] = [np.zeros(0, np.intp)]
    for part in over(nearest.tally, chunks):
        sums += part.sums
        counts += part.counts
        loss += part.loss
        labels.append(part.labels)
    return Tally(sums, counts, loss, np.concatenate(labels))


def dense_rows(features: Features, chosen: Integers, origin: Floats) -> Doubles:
    """(chosen, width): some rows relative to the origin."""
    rows = features[chosen]
    dense = rows if isinstance(rows, np.ndarray) else rows.toarray()
    return dense.astype(np.float64) - origin


def near_origin(features: Features, origin: Floats) -> Features:
    """Dense rows relative to the origin; sparse rows as they are, unless they are hardly sparse."""
    if not isinstance(features, np.ndarray):
        if features.nnz < _SPARSE_BELOW * features.shape[0] * features.shape[1]:
            return features
        features = features.toarray()
    moved: Floats = features - origin
    return moved


def squared_lengths(rows: Features) -> Floats:
    """(rows,)"""
    if isinstance(rows, np.ndarray):
        lengths: Floats = np.einsum("ij,ij->i", rows, rows)
    else:
        lengths = rows.power(2).sum(axis=1)
    return lengths


def sums_of(
    near: Features, weights: npt.NDArray[Any], labels: Integers, count: int, origin: Floats
) -> tuple[Doubles, Doubles]:
    """Sums and counts, as a tally has them, of rows `near_origin` whose centers are known."""
    weights = weights.astype(np.float32)
    bounds = np.arange(len(labels) + 1)
    chosen = csc_array((weights, labels, bounds), shape=(count, len(labels)))
    counts: Doubles = np.bincount(labels, weights, count).astype(np.float64)
    sums = chosen @ near
    if not isinstance(near, np.ndarray):
        sums = sums.toarray() - np.outer(counts, origin)
    return sums.astype(np.float64), counts
