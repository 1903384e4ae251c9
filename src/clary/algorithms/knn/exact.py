"""Exact search over all rows of a sample: by products over blocks of rows, or in a tree.

|x - y|² = |x|² + |y|² - 2 x·y: a matrix product gives many distances at once, but rounded. It only
rules out rows that are surely too far; distances to the others are computed anew. So answers do
not depend on the way, which is chosen by how many rows the tree has to look at.
"""

from __future__ import annotations

from functools import cached_property
from threading import Lock

import numpy as np

from clary.algorithms.knn.nearest import Doubles, Floats, Integers, multiply, settle, sift
from clary.algorithms.knn.tree import Tree, planted, search
from clary.errors import CallerError

# So many products stay in the cache until they are sifted
_PRODUCTS, _QUERIES = 1 << 18, 512
# How many rows tell where the rows are, and what makes that far from 0: the square of the distance
# over their variance, by which rounding grows
_CENTERED, _FAR = 4096, 8.0
# How many rows are tried on the tree, and of how few or wide ones there is none
_TRIED, _FEWEST_ROWS, _WIDEST = 64, 512, 128
# Shares of the rows that the tree may look at and be quicker than products, as measured: for many
# queries at a time, and for few, for which products take in all rows from memory
_MANY, _FEW, _FEW_QUERIES = 0.2, 0.5, 8
_UNIT = 2.0**-24


class Exact:
    """The rows of a sample, searched exhaustively or as if they were.

    rows: (n, width). product: whether nearness is the inner product; else it is distance.
    """

    def __init__(self, rows: Floats, *, product: bool) -> None:
        self.rows = rows
        self._product = product
        self._lock = Lock()

    def search(self, queries: Floats, k: int) -> tuple[Doubles, Integers]:
        """The k nearest of each query, both (queries, k), the nearest first.

        Distances are squared, or negative inner products. Of equal ones the earlier row is first.

        Raises:
            CallerError: numbers are too large.
        """
        squared_lengths(queries)
        distances = np.full((len(queries), k), np.inf)
        places = np.full((len(queries), k), -1, dtype=np.int64)
        with self._lock:
            tree, seen = self._grown
        if tree is not None and (seen <= _MANY or len(queries) <= _FEW_QUERIES):
            search(tree, queries, distances, places)
        else:
            self._multiply(queries, distances, places)
        return distances, places

    @cached_property
    def _grown(self) -> tuple[Tree | None, float]:
        """The tree, if it is ever quicker, and the share of the rows that it looks at."""
        count, width = self.rows.shape
        if self._product or count < _FEWEST_ROWS or width > _WIDEST:
            return None, 1.0
        tree = planted(self.rows)
        tried = self.rows[np.linspace(0, count - 1, _TRIED).astype(np.intp)]
        distances = np.full((_TRIED, min(10, count)), np.inf)
        places = np.full(distances.shape, -1, dtype=np.int64)
        seen = search(tree, tried, distances, places) / (_TRIED * count)
        return (tree if seen <= _FEW else None), seen

    @cached_property
    def _centered(self) -> tuple[Floats, Floats, Floats, float]:
        """A point near the rows, (width,); the rows seen from there; their floors, (n,); how long
        the longest is.

        Inner products have no center of their own: theirs is 0, and the rows are as they are.
        """
        rows = self.rows
        if self._product:
            longest = float(np.sqrt(squared_lengths(rows).max(initial=0)))
            return (
                np.zeros(rows.shape[1], np.float32),
                rows,
                np.zeros(len(rows), np.float32),
                longest,
            )
        some = rows[:: max(1, len(rows) // _CENTERED)].astype(np.float64)
        middle = some.mean(axis=0)
        if middle @ middle <= _FAR * np.square(some - middle).sum() / max(1, len(some)):
            # Near enough to 0: no copy of the rows is needed
            middle = np.zeros_like(middle)
        center = middle.astype(np.float32)
        near: Floats = rows - center if center.any() else rows
        return center, near, ((1 - self._slack) * squared_lengths(near)).astype(np.float32), 0.0

    @property
    def _slack(self) -> float:
        """By how much a rounded product may be off, of |x| |y|, and a distance, of |x|² + |y|².

        A product of width terms is off by width units of |x| |y| at most; the rest is for centering
        and for what is rounded afterwards. N. Higham, "Accuracy and stability of numerical
        algorithms", 2002, chapter 3.
        """
        return float(self.rows.shape[1] + 16) * _UNIT

    def _lengths(self, queries: Floats, longest: float) -> Doubles:
        """(queries,), what the floor of a distance has from the query: see `sift`."""
        squares = squared_lengths(queries)
        return (
            -self._slack * longest * np.sqrt(squares)
            if self._product
            else squares * (1 - self._slack)
        )

    def _multiply(self, queries: Floats, distances: Doubles, places: Integers) -> None:
        with self._lock:
            center, near, floors, longest = self._centered
        for begin in range(0, len(queries), _QUERIES):
            some = slice(begin, begin + _QUERIES)
            asked = queries[some]
            seen: Floats = asked - center
            lengths = self._lengths(seen, longest)
            step = _PRODUCTS // len(asked)
            for first in range(0, len(near), step):
                block = slice(first, first + step)
                products = _products(seen, near[block])
                factor = 1.0 if self._product else 2.0
                sift(
                    products, floors[block], lengths, factor, asked, self.rows[block], first,
                    distances[some], places[some],
                )  # fmt: skip
        settle(distances, places)


def _products(queries: Floats, rows: Floats) -> Floats:
    """(queries, rows), with rounding errors."""
    if len(queries) > _FEW_QUERIES:
        return np.asarray(queries @ rows.T)
    products = np.empty((len(queries), len(rows)), np.float32)
    multiply(queries, rows, products)
    return products


def squared_lengths(rows: Floats) -> Doubles:
    """(rows,)

    Raises:
        CallerError: float32 does not hold them.
    """
    squares: Doubles = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    if len(squares) and not squares.max() < np.finfo(np.float32).max / 8:
        raise CallerError.of(
            "features",
            "numbers must be below 1e17, so that float32 holds their squares",
            remedy="Bring the features to a common scale.",
        )
    return squares
