"""The nearest rows, found by comparing each with all.

Distances are summed one feature after the other, so that a row's neighbors have the same bits
alone, in any batch and over any number of threads; BLAS cannot promise that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.codecs.batch import Floats
from clary.kernels import kernel
from clary.kit.parallel import ordered_map, spread

Integers: TypeAlias = npt.NDArray[np.int64]

_CHUNK_ROWS = 256
# So that a block of columns stays in the cache while all rows of a chunk pass
_BLOCK = 256
# Of the rows that one is compared with in the approximate search, 4,000 at least
_SHARE, _FEWEST = 0.08, 4_000


@dataclass(frozen=True)
class Nearest:
    """The nearest of each row, from the nearest on.

    places: (rows, count), which they are. squares: (rows, count), their squared distances.
    """

    places: Integers
    squares: Floats


class References:
    """Rows among which neighbors are sought: (count, width)."""

    def __init__(self, rows: Floats) -> None:
        self.count = len(rows)
        self._columns = np.ascontiguousarray(rows.T, dtype=np.float32)

    def nearest(self, rows: Floats, count: int, own: Integers | None = None) -> Nearest:
        """own: (rows,), the place of each row among the references, which is left out."""
        itself = np.full(len(rows), -1, np.int64) if own is None else own

        def find(start: int) -> Nearest:
            cut = slice(start, start + _CHUNK_ROWS)
            return _found(rows[cut], self._columns, itself[cut], count)

        return _joined(list(spread(find, range(0, len(rows), _CHUNK_ROWS))), count)

    def ranks(self, rows: Floats, places: Integers, own: Integers) -> Integers:
        """(rows, count): how many references are nearer to a row than those at `places`."""

        def count(start: int) -> Integers:
            cut = slice(start, start + _CHUNK_ROWS)
            ranks = np.zeros(places[cut].shape, np.int64)
            _rank(rows[cut], self._columns, own[cut], places[cut], ranks)
            return ranks

        chunks = spread(count, range(0, len(rows), _CHUNK_ROWS))
        return np.concatenate([np.zeros((0, places.shape[1]), np.int64), *chunks])


def exact_neighbors(rows: Floats, count: int) -> Nearest:
    """The nearest of each row among the others."""
    return References(rows).nearest(rows, count, np.arange(len(rows)))


def approximate_neighbors(rows: Floats, count: int, rng: np.random.Generator) -> Nearest:
    """As `exact_neighbors`, for many rows: most of the nearest in a tenth of the time.

    Rows belong to the nearest of some centers, and are compared with those of its own and of the
    centers around it.
    """
    cells = _cells(rows, rng)
    wanted = max(_FEWEST, count + 1, round(_SHARE * len(rows)))

    def find(cell: int) -> Nearest:
        among = cells.around(cell, wanted)
        mine = cells.members(cell)
        own = np.searchsorted(among, mine)
        columns = np.ascontiguousarray(rows[among].T)
        found = _found(rows[mine], columns, own, count)
        return Nearest(among[found.places], found.squares)

    found = _joined(list(ordered_map(find, range(cells.count))), count)
    back = np.argsort(cells.order, kind="stable")
    return Nearest(found.places[back], found.squares[back])


@dataclass(frozen=True)
class _Cells:
    """order: the rows, cell by cell; starts: where each cell begins, and their end.

    nearby: (cells, cells), all cells from the nearest on.
    """

    order: Integers
    starts: Integers
    nearby: Integers

    @property
    def count(self) -> int:
        return len(self.nearby)

    def members(self, cell: int) -> Integers:
        return self.order[self.starts[cell] : self.starts[cell + 1]]

    def around(self, cell: int, wanted: int) -> Integers:
        """The rows of so many of the nearest cells that they are enough, in order."""
        sizes = np.diff(self.starts)[self.nearby[cell]]
        enough = int(np.searchsorted(np.cumsum(sizes), wanted)) + 1
        return np.sort(np.concatenate([self.members(one) for one in self.nearby[cell][:enough]]))


def _cells(rows: Floats, rng: np.random.Generator) -> _Cells:
    drawn = np.sort(rng.choice(len(rows), max(1, int(np.sqrt(len(rows)))), replace=False))
    centers = References(rows[drawn])
    cell = centers.nearest(rows, 1).places[:, 0]
    starts = np.append(0, np.cumsum(np.bincount(cell, minlength=centers.count)))
    nearby = centers.nearest(rows[drawn], centers.count).places
    return _Cells(np.argsort(cell, kind="stable"), starts, nearby)


def _found(rows: Floats, columns: Floats, own: Integers, count: int) -> Nearest:
    places = np.full((len(rows), count), -1, np.int64)
    squares = np.full((len(rows), count), np.inf, np.float32)
    _scan(rows, columns, own, places, squares)
    return Nearest(places, squares)


def _joined(parts: list[Nearest], count: int) -> Nearest:
    none = Nearest(np.zeros((0, count), np.int64), np.zeros((0, count), np.float32))
    return Nearest(
        np.concatenate([part.places for part in [none, *parts]]),
        np.concatenate([part.squares for part in [none, *parts]]),
    )


@kernel
def _scan(rows: Floats, columns: Floats, own: Integers, places: Integers, squares: Floats) -> None:
    """Sort the nearest into `places` and `squares`; of equals, the first comes first."""
    total = columns.shape[1]
    last = places.shape[1] - 1
    apart = np.empty(_BLOCK, np.float32)
    for start in range(0, total, _BLOCK):
        size = min(_BLOCK, total - start)
        for i in range(len(rows)):
            _squares_to(rows[i], columns, start, size, apart)
            for j in range(size):
                square = apart[j]
                if square < squares[i, last] and start + j != own[i]:
                    at = last
                    while at > 0 and squares[i, at - 1] > square:
                        squares[i, at] = squares[i, at - 1]
                        places[i, at] = places[i, at - 1]
                        at -= 1
                    squares[i, at] = square
                    places[i, at] = start + j


@kernel
def _rank(rows: Floats, columns: Floats, own: Integers, places: Integers, ranks: Integers) -> None:
    total = columns.shape[1]
    count = places.shape[1]
    apart = np.empty(_BLOCK, np.float32)
    limits = np.empty((len(rows), count), np.float32)
    for i in range(len(rows)):
        for k in range(count):
            _squares_to(rows[i], columns, places[i, k], 1, apart)
            limits[i, k] = apart[0]
    for start in range(0, total, _BLOCK):
        size = min(_BLOCK, total - start)
        for i in range(len(rows)):
            _squares_to(rows[i], columns, start, size, apart)
            for j in range(size):
                if start + j != own[i]:
                    for k in range(count):
                        ranks[i, k] += apart[j] < limits[i, k]


@kernel
def _squares_to(row: Floats, columns: Floats, start: int, size: int, apart: Floats) -> None:
    """Squared distances of a row to `size` references from `start` on."""
    for j in range(size):
        apart[j] = 0
    for f in range(len(row)):
        value = row[f]
        for j in range(size):
            difference = value - columns[f, start + j]
            apart[j] += difference * difference
