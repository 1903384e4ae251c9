"""What one pass over the rows keeps of them: sums that can be added up in any division of the rows.

Rows are taken relative to a shift near their mean, so that float32 products lose nothing to large
offsets; sums over chunks are float64.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.codecs.batch import Batch
from clary.kit.cluster import Cluster
from clary.kit.parallel import ordered_map

Numbers: TypeAlias = npt.NDArray[np.float64]
Floats: TypeAlias = npt.NDArray[np.float32]

# Rows multiplied at once: fixed, since another cut would be another rounding.
CHUNK_ROWS = 4096


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

    def plus(self, other: Sums) -> Sums:
        """The sums over both sets of rows; the larger array is reused."""
        self.product.__iadd__(other.product)
        self.total.__iadd__(other.total)
        return Sums(
            self.product, self.total, self.squares + other.squares, self.count + other.count
        )

    def over(self, cluster: Cluster) -> Sums:
        """The sums over all hosts' rows."""
        if cluster.size == 1:
            return self
        scalars = cluster.all_reduce(np.array([self.squares, self.count], dtype=np.float64))
        product, total = cluster.all_reduce(self.product), cluster.all_reduce(self.total)
        return Sums(product, total, float(scalars[0]), int(scalars[1]))


def summed(batches: Iterable[Batch], shift: Floats, sketch: Floats | None) -> Sums:
    """One pass. Without a sketch the product is the whole scatter matrix.

    sketch: (width, columns) float32.
    """
    width = len(shift)
    columns = width if sketch is None else sketch.shape[1]
    sums = Sums(np.zeros((width, columns)), np.zeros(width), 0.0, 0)
    for part in ordered_map(lambda batch: _of_chunk(batch, shift, sketch), batches):
        sums = sums.plus(part)
    return sums


def _of_chunk(batch: Batch, shift: Floats, sketch: Floats | None) -> Sums:
    x = batch.dense() - shift if shift.any() else batch.dense()
    # numpy computes half of x.T @ x only: the other half is its mirror
    product = x.T @ x if sketch is None else x.T @ (x @ sketch)
    total = x.sum(axis=0, dtype=np.float64)
    squares = float(np.einsum("ij,ij->", x, x, dtype=np.float64))
    return Sums(product.astype(np.float64), total, squares, batch.rows)
