"""What a solver is given: a problem, settled hyperparameters, whom to tell and whom to ask."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from clary.algorithms.svm.heads import Integers
from clary.algorithms.svm.kernels import Doubles, Rows
from clary.kit.cluster import Cluster

Labels: TypeAlias = npt.NDArray[np.float64]
R = TypeVar("R")


@dataclass(frozen=True)
class Problem:
    """Inputs of training rows, what they are labelled with, and what errors cost.

    inputs: (rows, inputs) float64, or float32 where they stand for a kernel. labels: (rows,).
    costs: (rows,) factors of C, above 0.
    classes: how many; 1 for numbers.
    """

    inputs: Rows
    labels: Labels
    costs: Doubles
    classes: int

    def of(self, rows: Integers) -> Problem:
        """Some of the rows."""
        return replace(
            self, inputs=self.inputs[rows], labels=self.labels[rows], costs=self.costs[rows]
        )


@dataclass(frozen=True)
class Settings:
    """Settled hyperparameters of the solvers; max_iter -1 is no limit."""

    C: float
    epsilon: float
    tol: float
    max_iter: int
    loss: str
    penalty: str
    seed: int


@dataclass(frozen=True)
class Told:
    """Whom the solvers tell and ask on the way."""

    cluster: Cluster = field(default_factory=Cluster)
    log: Callable[[str], None] = lambda text: None
    progress: Callable[[float], None] = lambda share: None
    stopped: Callable[[], bool] = lambda: False
    unfinished: Callable[[], None] = lambda: None


def watched(solve: Callable[[Told], R], told: Told) -> R:
    """What `solve` gives; that a solver reached its limit is said once, in the log."""
    limits: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        found = solve(replace(told, unfinished=lambda: limits.append("")))
    for one in caught:
        if issubclass(one.category, ConvergenceWarning):
            limits.append("")
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    if limits:
        told.log(
            "the solver ended at max_iter before it converged; scaled features, a smaller C or a "
            "larger tol help"
        )
    return found
