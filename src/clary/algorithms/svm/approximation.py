"""Features whose products are nearly the kernel, for rows too many for the exact solver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg

from clary.algorithms.svm.heads import Linear
from clary.algorithms.svm.kernels import Doubles, Kernel, Rows
from clary.algorithms.svm.machine import Likenesses, Waves
from clary.kit.parallel import one_thread_blas, ordered_map

# Directions of the kernel below this share of the largest are noise
_LEAST = 1e-10
_CHUNK_NUMBERS = 2**19


@dataclass(frozen=True)
class Landmarks:
    """Some rows, and what turns kernel values with them into features.

    Williams and Seeger, "Using the Nyström method to speed up kernel machines" (2001).
    to_features: (features, landmarks).
    """

    likenesses: Likenesses
    to_features: Doubles

    @property
    def inputs(self) -> int:
        return len(self.to_features)

    def of(self, rows: Rows) -> Doubles:
        """(rows, features)"""
        return np.asarray(self.likenesses.of(rows) @ self.to_features.T)

    def folded(self, head: Linear) -> Linear:
        """A head on features as one on kernel values."""
        return Linear(head.weights @ self.to_features, head.bias)


def landmarks(kernel: Kernel, rows: Rows, count: int, rng: np.random.Generator) -> Landmarks:
    """`count` rows drawn at random, or all of fewer; what is negative of the kernel is dropped."""
    drawn = np.sort(rng.choice(rows.shape[0], min(count, rows.shape[0]), replace=False))
    vectors = rows[drawn]
    with one_thread_blas():
        strengths, directions = linalg.eigh(kernel.values(vectors, vectors))
        kept = strengths > _LEAST * strengths.max()
        to_features = (directions[:, kept] / np.sqrt(strengths[kept])).T
    return Landmarks(Likenesses(kernel, vectors), np.ascontiguousarray(to_features))


def approximated(made: Landmarks | Waves, rows: Rows) -> npt.NDArray[np.float32]:
    """(rows, features) of all scaled rows, over threads; in float32, as there may be many."""
    size = max(16, _CHUNK_NUMBERS // made.inputs)
    pieces = (rows[start : start + size] for start in range(0, rows.shape[0], size))
    return np.concatenate(
        list(ordered_map(lambda part: np.asarray(made.of(part), np.float32), pieces))
    )


def waves(kernel: Kernel, width: int, count: int, rng: np.random.Generator) -> Waves:
    """Directions drawn as the kernel rbf's spectrum is: normal, with variance 2·gamma."""
    directions = rng.normal(0, np.sqrt(2 * kernel.gamma), (width, count))
    return Waves(directions, rng.uniform(0, 2 * np.pi, count))
