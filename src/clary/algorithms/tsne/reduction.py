"""From rows as they come to the rows whose neighbors count: centered, reduced, of unit length.

Principal components are found by subspace iteration from a random start: N. Halko, P. Martinsson
and J. Tropp, "Finding structure with randomness" (2011). Rows are multiplied feature by feature in
a fixed order, so that a row is reduced to the same bits alone and in any batch, dense or sparse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from clary.algorithms.tsne.tree import Doubles, Integers
from clary.codecs.batch import Features, Floats
from clary.errors import CallerError
from clary.kernels import kernel
from clary.kit.parallel import one_thread_blas, spread

_CHUNK_ROWS, _SCATTER_ROWS = 256, 4096
_EXTRA, _PASSES = 10, 5
# Numbers that sparse rows may be as dense ones
_MOST_NUMBERS = 2**30


@dataclass(frozen=True)
class Reduction:
    """center: (width,), what is subtracted from rows: their mean, or 0 where angles count.

    axes: (width, reduced), orthonormal columns; None leaves rows as wide as they are.
    unit: whether rows are given the length 1.
    """

    center: Doubles
    axes: Doubles | None
    unit: bool

    @property
    def width(self) -> int:
        return len(self.center)

    def reduced(self, features: Features) -> Floats:
        """(rows, reduced)."""
        known = np.zeros((0, self.width if self.axes is None else self.axes.shape[1]), np.float32)

        def work(start: int) -> Floats:
            return self._chunk(features[start : start + _CHUNK_ROWS])

        return np.concatenate([known, *spread(work, range(0, features.shape[0], _CHUNK_ROWS))])

    def _chunk(self, features: Features) -> Floats:
        if self.axes is None:
            dense = features if isinstance(features, np.ndarray) else features.toarray()
            found = dense - self.center
        else:
            found = np.tile(-(self.center @ self.axes), (features.shape[0], 1))
            if isinstance(features, np.ndarray):
                _add_products(features, self.axes, found)
            else:
                parts = (features.data, features.indices, features.indptr)
                _add_sparse_products(*parts, self.axes, found)
        if self.unit:
            lengths = np.sqrt(np.einsum("ij,ij->i", found, found))
            found /= np.where(lengths > 0, lengths, 1)[:, None]
        return np.ascontiguousarray(found, dtype=np.float32)


def learned(
    features: Features, components: int, metric: str, rng: np.random.Generator
) -> Reduction:
    """What suits some rows, (rows, width); components: 0 leaves them as wide as they are.

    Raises:
        CallerError: sparse rows that are to stay so wide have no room.
    """
    rows, width = features.shape
    reduces = 0 < components < width
    if not reduces and not isinstance(features, np.ndarray) and rows * width > _MOST_NUMBERS:
        raise CallerError.of(
            "reduction_dim",
            f"must be above 0 for {rows:,} sparse rows of {width:,} features",
            components,
        )
    center = np.zeros(width) if metric == "cosine" else _mean(features)
    axes = principal_axes(features, center, min(components, rows), rng) if reduces else None
    return Reduction(center, axes, metric == "cosine")


def principal_axes(
    features: Features, center: Doubles, count: int, rng: np.random.Generator
) -> Doubles:
    """(width, count), orthonormal columns along which rows lie farthest from the center."""
    rows, width = features.shape
    columns = min(count + _EXTRA, rows, width)
    with one_thread_blas():
        basis = rng.standard_normal((width, columns))
        for _ in range(_PASSES):
            basis = linalg.qr(basis, mode="economic")[0]
            basis = _scattered(features, center, basis)
        axes = np.asarray(linalg.svd(basis, full_matrices=False)[0][:, :count])
    largest = np.abs(axes).argmax(axis=0)
    signs = np.sign(axes[largest, np.arange(count)])
    return np.ascontiguousarray(axes * np.where(signs == 0, 1, signs))


def _mean(features: Features) -> Doubles:
    """(width,): summed row by row, so that zeros left out change no bit."""
    rows, width = features.shape
    if isinstance(features, np.ndarray):
        return np.asarray(np.add.reduce(features, axis=0, dtype=np.float64) / rows)
    sums = np.bincount(features.indices, weights=features.data, minlength=width)
    return np.asarray(sums / rows)


def _scattered(features: Features, center: Doubles, basis: Doubles) -> Doubles:
    """The scatter matrix of the centered rows times a basis, (width, columns)."""
    single, middle = basis.astype(np.float32), center.astype(np.float32)

    def work(start: int) -> Doubles:
        some = features[start : start + _SCATTER_ROWS]
        if isinstance(some, np.ndarray):
            some = some - middle
            return np.asarray(some.T @ (some @ single), dtype=np.float64)
        across = some @ basis - center @ basis
        return np.asarray(some.T @ across - np.outer(center, across.sum(axis=0)))

    total = np.zeros(basis.shape)
    for part in spread(work, range(0, features.shape[0], _SCATTER_ROWS)):
        total += part
    return total


@kernel
def _add_products(rows: Floats, axes: Doubles, found: Doubles) -> None:
    for i in range(len(rows)):
        for f in range(rows.shape[1]):
            value = rows[i, f]
            if value != 0:
                for c in range(axes.shape[1]):
                    found[i, c] += value * axes[f, c]


@kernel
def _add_sparse_products(
    data: Floats, indices: Integers, starts: Integers, axes: Doubles, found: Doubles
) -> None:
    for i in range(len(starts) - 1):
        for place in range(starts[i], starts[i + 1]):
            for c in range(axes.shape[1]):
                found[i, c] += data[place] * axes[indices[place], c]
