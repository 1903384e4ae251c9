"""A trained machine: rows are scaled, turned into inputs, and decided on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from clary.algorithms.svm.heads import Head
from clary.algorithms.svm.kernels import Doubles, Kernel, Rows
from clary.algorithms.svm.scaling import Scaling
from clary.codecs.batch import Features
from clary.kit.parallel import ordered_map
from clary.kit.width import widened

# What a thread holds at a time: 4 MiB
_CHUNK_NUMBERS = 2**19


@dataclass(frozen=True)
class Likenesses:
    """Inputs are kernel values with some vectors, (vectors, width), scaled."""

    kernel: Kernel
    vectors: Rows

    @property
    def inputs(self) -> int:
        return int(self.vectors.shape[0])

    def of(self, rows: Rows) -> Rows:
        """(rows, vectors)"""
        return self.kernel.values(rows, self.vectors)


@dataclass(frozen=True)
class Waves:
    """Inputs are cosines along random directions, (width, waves), with offsets, (waves,).

    Rahimi and Recht, "Random features for large-scale kernel machines" (2007): the mean product
    of such inputs is the kernel rbf.
    """

    directions: Doubles
    offsets: Doubles

    @property
    def inputs(self) -> int:
        return len(self.offsets)

    def of(self, rows: Rows) -> Rows:
        """(rows, waves)"""
        values: Doubles = np.asarray(rows @ self.directions)
        values += self.offsets
        np.cos(values, out=values)
        values *= np.sqrt(2 / self.inputs)
        return values


@dataclass(frozen=True)
class Plain:
    """Inputs are the scaled rows themselves."""

    inputs: int

    def of(self, rows: Rows) -> Rows:
        return rows


Inputs: TypeAlias = Likenesses | Waves | Plain


@dataclass(frozen=True)
class Machine:
    """Scaling, inputs and head."""

    scaling: Scaling
    inputs: Inputs
    head: Head

    def raw(self, features: Features) -> Doubles:
        """(rows, decisions) in float64; chunks are spread over threads."""
        parts = list(ordered_map(self._raw, self._chunks(features)))
        return np.concatenate(parts) if parts else self.head.raw(np.zeros((0, self.inputs.inputs)))

    def _raw(self, features: Features) -> Doubles:
        return self.head.raw(self.inputs.of(self.scaling.of_rows(features)))

    def _chunks(self, features: Features) -> Iterator[Features]:
        whole = widened(features, len(self.scaling.mean))
        # Wide sparse rows hold little each
        held = self.inputs.inputs
        if isinstance(self.inputs, Plain) and not isinstance(whole, np.ndarray):
            held = max(1, whole.nnz // max(1, whole.shape[0]))
        rows = max(16, _CHUNK_NUMBERS // max(held, 1))
        for start in range(0, whole.shape[0], rows):
            yield whole[start : start + rows]
