"""The cells that an index divides rows into: Lloyd's k-means as faiss does it, over threads.

faiss itself gives other bits with more threads, since its matrix products are cut otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.sparse import csc_array

from clary.algorithms.knn.nearest import Doubles, Floats
from clary.kit.parallel import ordered_map

_ITERATIONS = 10
# As many rows a cell as faiss takes
_ROWS_A_CELL = 256
_CHUNK_ROWS = 4096
_NUDGE = 2.0**-10


def centers_of(rows: Floats, count: int, seed: int, *, product: bool) -> Floats:
    """(count, width): the centers of cells, of length 1 where nearness is the inner product.

    rows: (n, width), at least `count`.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(rows))[: _ROWS_A_CELL * count]
    some = rows if len(chosen) == len(rows) else rows[np.sort(chosen)]
    # Squares subtracted lose their digits far from zero
    origin = np.zeros(rows.shape[1]) if product else some.mean(axis=0, dtype=np.float64)
    centers = _scaled(rows[np.sort(chosen[:count])] - origin, product)
    spread = some[:_CHUNK_ROWS].std(axis=0, dtype=np.float64)
    for _ in range(_ITERATIONS):
        sums, counts = _summed(some, centers, origin.astype(np.float32), product)
        _fill(sums, counts, spread, rng)
        centers = _scaled(sums / counts[:, None], product)
    return (centers + origin).astype(np.float32)


def _scaled(centers: Doubles, product: bool) -> Floats:
    if product:
        lengths = np.sqrt((centers**2).sum(axis=1, keepdims=True))
        centers = centers / np.where(lengths > 0, lengths, 1)
    return centers.astype(np.float32)


def _summed(
    rows: Floats, centers: Floats, origin: Floats, product: bool
) -> tuple[Doubles, Doubles]:
    """What comes to each center: sums of rows, (count, width), and how many, (count,).

    Centers and sums are relative to the origin.
    """
    columns = np.ascontiguousarray(centers.T)
    halves = 0 if product else (centers.astype(np.float64) ** 2).sum(axis=1).astype(np.float32) / 2

    def of_chunk(start: int) -> tuple[Floats, Doubles]:
        part = rows[start : start + _CHUNK_ROWS] - origin
        nearest = (part @ columns - halves).argmax(axis=1)
        ones = np.ones(len(part), np.float32)
        shape = (len(centers), len(part))
        members = csc_array((ones, nearest, np.arange(len(part) + 1)), shape=shape)
        return members @ part, np.bincount(nearest, minlength=len(centers)).astype(np.float64)

    sums, counts = np.zeros(centers.shape), np.zeros(len(centers))
    parts: Iterable[tuple[Floats, Doubles]] = ordered_map(
        of_chunk, range(0, len(rows), _CHUNK_ROWS)
    )
    for some, number in parts:
        sums += some
        counts += number
    return sums, counts


def _fill(sums: Doubles, counts: Doubles, spread: Doubles, rng: np.random.Generator) -> None:
    """Give each empty cell half of the largest one, with the center a little apart."""
    for empty in np.flatnonzero(counts == 0):
        largest = int(np.argmax(counts))
        counts[empty] = counts[largest] = counts[largest] / 2
        half = sums[largest] / 2
        move = counts[empty] * _NUDGE * spread * rng.standard_normal(len(half))
        sums[empty], sums[largest] = half + move, half - move
