"""Steps of subspace iteration, and eigenpairs, from a matrix A of which A Ω is known.

The recovery is algorithm 3 of J. Tropp, A. Yurtsever, M. Udell and V. Cevher, "Fixed-rank
approximation of a positive-semidefinite matrix from streaming data" (2017).

`product` is A Ω, (width, columns) float64, which is overwritten; `sketch` is Ω, (width, columns)
float32. Both are tall, so all work on them is cut into blocks of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import linalg

from clary.algorithms.pca.moments import Floats, Numbers
from clary.kit.parallel import ordered_map

T = TypeVar("T")

# A block stays in the cache from one operation to the next; another cut would be another rounding
_BLOCK_ROWS = 2048


def drawn(rng: np.random.Generator, width: int, columns: int) -> Floats:
    """A random sketch, nearly orthonormal."""
    sketch = np.empty((width, columns), np.float32)
    scale = np.float32(1 / np.sqrt(width))
    cuts = _cuts(sketch)

    def draw(cut: slice, rng: np.random.Generator) -> None:
        rng.standard_normal(out=sketch[cut], dtype=np.float32)
        sketch[cut] *= scale

    for _ in ordered_map(lambda work: draw(*work), zip(cuts, rng.spawn(len(cuts)), strict=True)):
        pass
    return sketch


def refined(product: Numbers, sketch: Floats) -> Floats:
    """A sketch whose columns, nearly orthonormal, span those of A Ω."""
    _shift(product, sketch)
    gram = sum(_by_rows(lambda block: block.T @ block, product))
    length = np.sqrt(np.trace(gram))
    turn = linalg.inv(linalg.cholesky(gram / length**2)).astype(np.float32)

    def turned(block: Numbers) -> Floats:
        return np.asarray((block / length).astype(np.float32) @ turn)

    return np.concatenate(list(_by_rows(turned, product)))


def eigenpairs(product: Numbers, sketch: Floats, keep: int) -> tuple[Numbers, Numbers]:
    """The largest eigenvalues of A, ascending, and their vectors: (keep,), (width, keep)."""
    nudge = _shift(product, sketch)
    parts = list(_by_rows(lambda block, part: (part.T @ block, block.T @ block), product, sketch))
    inner, outer = (sum(products) for products in zip(*parts, strict=True))
    # With A + nudge = H Hᵀ for H = A Ω · turn, the eigenvectors are H's left singular ones
    turn = linalg.inv(linalg.cholesky((inner + inner.T) / 2))
    # All of them: asked for some, LAPACK may not find those of a tiny matrix
    values, right = (found[..., -keep:] for found in linalg.eigh(turn.T @ outer @ turn))
    turn = turn @ right / np.sqrt(values)
    vectors = np.concatenate(list(_by_rows(lambda block: block @ turn, product)))
    return np.maximum(values - nudge, 0), vectors


def _shift(product: Numbers, sketch: Floats) -> float:
    """Make A Ω that of A + nudge, by which Cholesky factors stay whole; the nudge."""
    relative = np.sqrt(len(product)) * np.finfo(np.float32).eps
    nudge = max(float(relative * np.linalg.norm(product)), float(np.finfo(np.float32).tiny))
    for _ in _by_rows(lambda block, part: block.__iadd__(nudge * part), product, sketch):
        pass
    return nudge


def _by_rows(work: Callable[..., T], *arrays: npt.NDArray[Any]) -> Iterator[T]:
    """`work` of blocks of rows of the arrays, in order."""
    return ordered_map(lambda cut: work(*(array[cut] for array in arrays)), _cuts(arrays[0]))


def _cuts(array: npt.NDArray[Any]) -> list[slice]:
    return [slice(at, at + _BLOCK_ROWS) for at in range(0, len(array), _BLOCK_ROWS)]
