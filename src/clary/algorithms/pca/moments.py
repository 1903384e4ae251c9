"""What one pass over the rows keeps of them: sums that can be added up in any division of the rows.

Rows are taken relative to a shift near their mean, so that float32 products lose nothing to large
offsets; sums over chunks are float64. Thin rows, sparse ones with few entries, have no shift and
are never made dense.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import sparray

from clary.codecs.batch import Batch
from clary.kit.cluster import Cluster
from clary.kit.parallel import ordered_map

Numbers: TypeAlias = npt.NDArray[np.float64]
Floats: TypeAlias = npt.NDArray[np.float32]

# Rows multiplied at once: fixed, since another cut would be another rounding.
_CHUNK_ROWS = 4096
_CHUNK_VALUES = 1 << 24
_THIN_CHUNK_ROWS = 8192
_THIN_CHUNK_VALUES = 1 << 22
_MOST_THIN_CHUNK_ROWS = 1 << 15
# Up to here sparse products are quicker than dense ones
_THIN = 0.05
# So few columns of a wide sketch, and of its product, stay in the cache while rows pick from them
_COLUMNS = 32


@dataclass(frozen=True)
class Sums:
    """Sums over rows x, taken relative to the shift.

    product: of x xᵀ, (width, width), or of x (xᵀ sketch), (width, columns of the sketch).
    total: of x, (width,). squares: of |x|². count: of 1.
    """

    product: Numbers
    total: Numbers
    squares: float
    count: int

    def plus(self, part: Part) -> Sums:
        """The sums with those of more rows; our arrays are reused."""
        if isinstance(part.product, sparray):
            entries = part.product.tocoo()
            self.product[entries.row, entries.col] += entries.data
        else:
            stop = part.first + part.product.shape[1]
            self.product[:, part.first : stop] += part.product
        self.total.__iadd__(part.total)
        squares, count = self.squares + part.squares, self.count + part.count
        return Sums(self.product, self.total, squares, count)

    def over(self, cluster: Cluster) -> Sums:
        """The sums over all hosts' rows."""
        if cluster.size == 1:
            return self
        scalars = cluster.all_reduce(np.array([self.squares, self.count], dtype=np.float64))
        product, total = cluster.all_reduce(self.product), cluster.all_reduce(self.total)
        return Sums(product, total, float(scalars[0]), int(scalars[1]))


@dataclass(frozen=True)
class Part:
    """The sums over a chunk. Its product may be float32 or sparse.

    first: of the columns that the product has, among those of the whole.
    """

    product: Numbers | Floats | sparray
    total: Numbers
    squares: float
    count: int
    first: int = 0


def chunk_rows(width: int) -> int:
    """How many rows are multiplied at once."""
    return min(_CHUNK_ROWS, max(1, _CHUNK_VALUES // width))


def thin_chunk_rows(sample: Batch, sketched: bool) -> int:
    """How many thin rows, of which the sample are the first, are multiplied at once.

    Parts as large as the sketch are added up, so the fewer the better.
    """
    if not sketched:
        return _THIN_CHUNK_ROWS
    entries = max(1, int(sample.sparse().nnz))
    return max(1, min(_MOST_THIN_CHUNK_ROWS, _THIN_CHUNK_VALUES * sample.rows // entries))


def is_thin(batch: Batch) -> bool:
    """Whether rows are sparse, with so few entries that they had better stay so."""
    return batch.is_sparse and batch.sparse().nnz <= _THIN * batch.rows * batch.width


def summed(batches: Iterable[Batch], shift: Floats, sketch: Floats | None) -> Sums:
    """One pass. Without a sketch the product is the whole scatter matrix.

    sketch: (width, columns) float32.
    """
    width = len(shift)
    columns = width if sketch is None else sketch.shape[1]
    sums = Sums(np.zeros((width, columns)), np.zeros(width), 0.0, 0)
    for part in ordered_map(lambda work: work(), _works(batches, shift, sketch)):
        sums = sums.plus(part)
    return sums


def _works(
    batches: Iterable[Batch], shift: Floats, sketch: Floats | None
) -> Iterator[Callable[[], Part]]:
    """What gives the parts, in order: one of a chunk, or several of some columns each."""
    for batch in batches:
        if shift.any() or not is_thin(batch):
            yield partial(_of_chunk, batch, shift, sketch)
        elif sketch is None:
            yield partial(_of_thin_chunk, batch)
        else:
            firsts = range(0, sketch.shape[1], _COLUMNS)
            yield from (partial(_of_some_columns, batch, sketch, first) for first in firsts)


def _of_chunk(batch: Batch, shift: Floats, sketch: Floats | None) -> Part:
    x = batch.dense() - shift if shift.any() else batch.dense()
    # numpy computes half of x.T @ x only: the other half is its mirror
    product = x.T @ x if sketch is None else x.T @ (x @ sketch)
    total = (np.ones(len(x), np.float32) @ x).astype(np.float64)
    squares = np.einsum("ij,ij->i", x, x).sum(dtype=np.float64)
    return Part(product, total, float(squares), batch.rows)


def _of_thin_chunk(batch: Batch) -> Part:
    x = batch.sparse().astype(np.float64)
    return Part(x.T @ x, x.sum(axis=0), float(x.data @ x.data), batch.rows)


def _of_some_columns(batch: Batch, sketch: Floats, first: int) -> Part:
    """The part of these columns of the sketch; what is of no column comes with the first."""
    x = batch.sparse()
    product = x.T @ (x @ sketch[:, first : first + _COLUMNS])
    if first:
        return Part(product, np.zeros(batch.width), 0.0, 0, first)
    values = x.data.astype(np.float64)
    return Part(product, x.T @ np.ones(batch.rows), float(values @ values), batch.rows)
