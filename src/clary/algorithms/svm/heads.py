"""From inputs to decisions: what a machine computes last, and how classes are read from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.svm.kernels import Doubles, Rows

Integers: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Linear:
    """One number, or one for each class against the others.

    weights: (outputs, inputs); bias: (outputs,).
    """

    weights: Doubles
    bias: Doubles

    def raw(self, inputs: Rows) -> Doubles:
        """(rows, outputs)"""
        return np.asarray(inputs @ self._columns + self.bias)

    @cached_property
    def _columns(self) -> Doubles:
        """(inputs, outputs), laid out as products with sparse rows want it."""
        return np.ascontiguousarray(self.weights.T)

    def scores(self, raw: Doubles) -> Doubles:
        """(rows,) of one output, which is greater for label 1, else (rows, classes)."""
        return raw[:, 0] if raw.shape[1] == 1 else raw

    def labels(self, raw: Doubles) -> Integers:
        """(rows,) the class of each row."""
        if raw.shape[1] == 1:
            return (raw[:, 0] > 0).astype(np.intp)
        return np.asarray(raw.argmax(axis=1))


@dataclass(frozen=True)
class OneVsOne:
    """A decision for each two classes; every one is a vote. Laid out as libsvm's models are.

    dual: (classes - 1, vectors): vectors are sorted by class, and one of class c has its
        coefficients of the pairs with the other classes below each other, in their order.
    counts: (classes,) the vectors of each class. bias: (pairs,) for (0, 1), (0, 2), … (1, 2), …
    """

    dual: Doubles
    counts: Integers
    bias: Doubles

    @property
    def pairs(self) -> tuple[Integers, Integers]:
        """The first and the second class of each pair."""
        return pairs_of(len(self.counts))

    def raw(self, inputs: Rows) -> Doubles:
        """(rows, pairs), above 0 for the first class of the pair; `inputs` are likenesses."""
        ends = np.concatenate([[0], np.cumsum(self.counts)])
        sums = np.empty((inputs.shape[0], len(self.counts), len(self.dual)))
        for one, (start, stop) in enumerate(pairwise(ends)):
            sums[:, one] = inputs[:, start:stop] @ self.dual[:, start:stop].T
        first, second = self.pairs
        return np.asarray(sums[:, first, second - 1] + sums[:, second, first] + self.bias)

    def scores(self, raw: Doubles) -> Doubles:
        """(rows, classes): votes, and below 1/3 how decided they were, as scikit-learn has it."""
        confidence = raw @ (self._won - self._lost)
        return np.asarray(self._votes(raw) + confidence / (3 * (np.abs(confidence) + 1)))

    def labels(self, raw: Doubles) -> Integers:
        """(rows,) the class with most votes; among equals the first."""
        return np.asarray(self._votes(raw).argmax(axis=1))

    def _votes(self, raw: Doubles) -> Doubles:
        first = (raw > 0).astype(np.float64)
        return np.asarray(first @ self._won + (1 - first) @ self._lost)

    @property
    def _won(self) -> Doubles:
        return np.eye(len(self.counts))[self.pairs[0]]

    @property
    def _lost(self) -> Doubles:
        return np.eye(len(self.counts))[self.pairs[1]]


Head: TypeAlias = Linear | OneVsOne


def pairs_of(classes: int) -> tuple[Integers, Integers]:
    """All pairs of classes, in libsvm's order: the first of each and the second."""
    first, second = np.array(list(combinations(range(classes), 2)), dtype=np.intp).T
    return first, second
