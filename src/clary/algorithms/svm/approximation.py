"""Features whose products are nearly the kernel, for rows too many for the exact solver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from clary.algorithms.svm.heads import Linear
from clary.algorithms.svm.kernels import Doubles, Kernel, Rows
from clary.algorithms.svm.machine import Likenesses, Waves
from clary.kit.parallel import one_thread_blas

# Directions of the kernel below this share of the largest are noise
_LEAST = 1e-10


@dataclass(frozen=True)
class Landmarks:
    """Some rows, and what turns kernel values with them into features.

    Williams and Seeger, "Using the Nyström method to speed up kernel machines" (2001).
    to_features: (features, landmarks).
    """

    likenesses: Likenesses
    to_features: Doubles

    def features(self, values: Rows) -> Doubles:
        """(rows, features) from kernel values with the landmarks."""
        return np.asarray(values @ self.to_features.T)

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


def waves(kernel: Kernel, width: int, count: int, rng: np.random.Generator) -> Waves:
    """Directions drawn as the kernel rbf's spectrum is: normal, with variance 2·gamma."""
    directions = rng.normal(0, np.sqrt(2 * kernel.gamma), (width, count))
    return Waves(directions, rng.uniform(0, 2 * np.pi, count))
