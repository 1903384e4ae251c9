"""Scaling inside the model: learned from the rows of train, done to all rows after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from clary.algorithms.svm.kernels import Doubles, Rows
from clary.codecs.batch import Features

_CHUNK_ROWS = 4096


@dataclass(frozen=True)
class Scaling:
    """(x - mean) / scale, both (width,)."""

    mean: Doubles
    scale: Doubles

    @classmethod
    def none(cls, width: int) -> Self:
        """Rows as they are."""
        return cls(np.zeros(width), np.ones(width))

    @classmethod
    def of(cls, features: Features) -> Self:
        """Mean and deviation of dense rows; of sparse ones the largest value, and no mean.

        A mean would fill sparse rows up. Features that do not vary are left as they are.
        """
        if isinstance(features, np.ndarray):
            mean = features.mean(axis=0, dtype=np.float64)
            return cls(mean, _or_one(_deviation(features, mean)))
        largest = abs(features).max(axis=0).toarray().ravel().astype(np.float64)
        return cls(np.zeros(len(largest)), _or_one(largest))

    def of_rows(self, features: Features) -> Rows:
        """(rows, width) float64, dense or sparse as they were, but dense where there is a mean."""
        if isinstance(features, np.ndarray):
            return (features - self.mean) / self.scale
        if self.mean.any():
            return (features.toarray() - self.mean) / self.scale
        values = features.data / self.scale[features.indices]
        return csr_array((values, features.indices, features.indptr), shape=features.shape)


def _deviation(features: Features, mean: Doubles) -> Doubles:
    squares = np.zeros(len(mean))
    for start in range(0, features.shape[0], _CHUNK_ROWS):
        squares += np.square(features[start : start + _CHUNK_ROWS] - mean).sum(axis=0)
    deviation: Doubles = np.sqrt(squares / features.shape[0])
    # What rounding leaves of a constant is no deviation
    return np.where(deviation > 1e-7 * np.abs(mean), deviation, 0)


def _or_one(scale: Doubles) -> Doubles:
    return np.where(scale > 0, scale, 1.0)
