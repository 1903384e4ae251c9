"""Random projections to fewer dimensions, which keep distances nearly as they are.

sign: D. Achlioptas, "Database-friendly random projections", JCSS 66 (2003): a matrix of +1 and -1.
fjlt: N. Ailon, B. Chazelle, "The fast Johnson-Lindenstrauss transform and approximate nearest
neighbors", SIAM J. Comput. 39 (2009): random signs and a Walsh-Hadamard transform spread each row
over all dimensions, so that a few of those tell its length; they are drawn uniformly, as in
J. Tropp, "Improved analysis of the subsampled randomized Hadamard transform" (2011).

What is drawn depends on PCG64's raw numbers only, which NumPy keeps the same from version to
version: the seed in a model's file stands for the projection.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from clary.algorithms.knn.nearest import Doubles, Floats, Integers
from clary.codecs.batch import Features
from clary.kernels import kernel

_CHUNK_NUMBERS = 1 << 22


@dataclass(frozen=True)
class Reduction:
    """A projection of rows of `width` numbers to `target`."""

    kind: str
    seed: int
    target: int
    width: int

    def of(self, features: Features) -> Floats:
        """(rows, target)"""
        if self.kind == "sign":
            # In float64: BLAS adds up a row in another order at another place of the batch
            projected = features.astype(np.float64) @ self._matrix / np.sqrt(self.target)
            return np.ascontiguousarray(projected, dtype=np.float32)
        found = np.empty((features.shape[0], self.target), np.float32)
        some = max(1, _CHUNK_NUMBERS // self.width)
        for start in range(0, len(found), some):
            part = features[start : start + some]
            dense = part if isinstance(part, np.ndarray) else part.toarray()
            _transform(dense, self._signs, self._chosen, found[start : start + some])
        return found

    @cached_property
    def _matrix(self) -> Doubles:
        """(width, target) of +1 and -1"""
        bits = _bits(np.random.PCG64(self.seed), self.width * self.target)
        return bits.reshape(self.width, self.target).astype(np.float64) * 2 - 1

    @cached_property
    def _signs(self) -> Floats:
        """(width,)"""
        bits = _bits(np.random.PCG64(self.seed), self.width)
        return np.asarray(bits * np.float32(2) - np.float32(1), dtype=np.float32)

    @cached_property
    def _chosen(self) -> Integers:
        """(target,) of the transform's 2^m dimensions, the least that hold a row; ascending"""
        source = np.random.PCG64(self.seed)
        _bits(source, self.width)
        keys = source.random_raw(1 << (self.width - 1).bit_length())
        return np.sort(np.argsort(keys, kind="stable")[: self.target])


def _bits(source: np.random.PCG64, count: int) -> Floats:
    """(count,) of 0 and 1"""
    raw = source.random_raw(-(-count // 64)).astype("<u8")
    return np.unpackbits(raw.view(np.uint8), count=count).astype(np.float32)


@kernel
def _transform(rows: Floats, signs: Floats, chosen: Integers, found: Floats) -> None:
    """Signs, the Walsh-Hadamard transform in place, and of it what was chosen."""
    size = 1
    while size < rows.shape[1]:
        size *= 2
    buffer = np.empty(size, np.float32)
    scale = np.float32(1 / np.sqrt(len(chosen)))
    for i in range(len(rows)):
        buffer[rows.shape[1] :] = 0
        for j in range(rows.shape[1]):
            buffer[j] = rows[i, j] * signs[j]
        half = 1
        while half < size:
            for start in range(0, size, 2 * half):
                for j in range(start, start + half):
                    one, other = buffer[j], buffer[j + half]
                    buffer[j] = one + other
                    buffer[j + half] = one - other
            half *= 2
        for j in range(len(chosen)):
            found[i, j] = buffer[chosen[j]] * scale
