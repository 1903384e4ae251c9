"""Kernels: how alike rows are to some vectors, by matrix products in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from clary.algorithms.svm.spec import KernelName

Doubles: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = "Doubles | csr_array"


@dataclass(frozen=True)
class Kernel:
    """rbf: exp(-gamma·|x - v|²); poly: (gamma·x·v + coef0)^degree; sigmoid: its tanh."""

    name: KernelName
    gamma: float
    degree: int = 3
    coef0: float = 0.0

    def values(self, rows: Rows, vectors: Rows) -> Doubles:
        """(rows, vectors). Rows take the form of the vectors, dense or sparse."""
        rows = in_the_form_of(vectors, rows)
        values: Doubles = dense(rows @ vectors.T)
        if self.name == "rbf":
            values *= 2
            values -= squared_lengths(rows)[:, None]
            values -= squared_lengths(vectors)
            np.minimum(values, 0, out=values)
        values *= self.gamma
        if self.name == "rbf":
            return np.exp(values, out=values)
        values += self.coef0
        return np.tanh(values, out=values) if self.name == "sigmoid" else values**self.degree


def in_the_form_of(model: Rows, rows: Rows) -> Rows:
    """Rows dense or sparse, as others are."""
    if isinstance(model, np.ndarray):
        return dense(rows)
    return csr_array(rows) if isinstance(rows, np.ndarray) else rows


def dense(rows: Rows) -> Doubles:
    """The same numbers as an array; a copy only of sparse ones."""
    return rows if isinstance(rows, np.ndarray) else rows.toarray()


def squared_lengths(rows: Rows) -> Doubles:
    """(rows,)"""
    if isinstance(rows, np.ndarray):
        return np.asarray(np.einsum("ij,ij->i", rows, rows))
    squares: Doubles = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    return squares
