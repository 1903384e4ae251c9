"""libsvm and liblinear through scikit-learn: from inputs and labels to heads.

Chang and Lin, "LIBSVM: a library for support vector machines" (2011); Fan et al., "LIBLINEAR: a
library for large linear classification" (2008). libsvm draws no random numbers here and works
without Python's lock, so pairs of classes are trained side by side. So does liblinear in the
primal; in the dual it draws from one generator of the whole process, so classes come one by one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from clary.algorithms.svm.heads import Head, Integers, Linear, OneVsOne, pairs_of
from clary.algorithms.svm.kernels import Doubles, Kernel, Rows
from clary.kit.cluster import Cluster
from clary.kit.parallel import one_thread_blas, ordered_map

Labels: TypeAlias = npt.NDArray[Any]

# Kernel columns that libsvm keeps while it solves one problem
_CACHE_MIB = 500
# What a pair is still given when the training is to end
_HURRIED_ITERATIONS = 200


@dataclass(frozen=True)
class Problem:
    """Inputs of training rows, what they are labelled with, and what errors cost.

    inputs: (rows, inputs) float64. labels: (rows,). costs: (rows,) factors of C, above 0.
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
    log: Callable[[str], None] = print
    progress: Callable[[float], None] = lambda share: None
    stopped: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class KernelSolution:
    """A head, and the training rows that it is laid out for.

    support: (vectors,) their places among the rows.
    """

    head: Head
    support: Integers


def solve_kernel(
    problem: Problem, kernel: Kernel, settings: Settings, told: Told
) -> KernelSolution:
    """libsvm's machine, as libsvm lays it out: of two classes or numbers, one decision."""
    solve = partial(_one_kernel_problem, problem, kernel, settings, told)
    if problem.classes > 2:
        return _one_vs_one(problem, solve, told)
    one = solve(np.arange(len(problem.labels)))
    order = np.argsort(one.support, kind="stable")
    return KernelSolution(Linear(one.dual[order][None], np.array([one.bias])), one.support[order])


@dataclass(frozen=True)
class _Solved:
    """Coefficients of support vectors, by their places among all rows."""

    support: Integers
    dual: Doubles
    bias: float


def _one_kernel_problem(
    problem: Problem, kernel: Kernel, settings: Settings, told: Told, rows: Integers
) -> _Solved:
    """Of rows of two classes, above 0 for the higher one; of numbers, the number."""
    part = problem.of(rows)
    if problem.classes > 1 and len(np.unique(part.labels)) < 2:
        # Seen while cross-validating rare classes
        side = 0.0 if not len(rows) else 1.0 if part.labels[0] == problem.labels.max() else -1.0
        return _Solved(np.zeros(0, np.intp), np.zeros(0), side)
    shared = {
        "kernel": kernel.name,
        "gamma": kernel.gamma,
        "degree": kernel.degree,
        "coef0": kernel.coef0,
        "C": settings.C,
        "tol": settings.tol,
        "max_iter": _HURRIED_ITERATIONS if told.stopped() else settings.max_iter,
        "cache_size": _CACHE_MIB,
    }
    solver = SVR(epsilon=settings.epsilon, **shared) if problem.classes == 1 else SVC(**shared)
    solver.fit(part.inputs, part.labels, sample_weight=part.costs)
    dual = solver.dual_coef_
    flat = dual.ravel() if isinstance(dual, np.ndarray) else dual.toarray().ravel()
    return _Solved(rows[solver.support_], flat, float(solver.intercept_[0]))


def _one_vs_one(
    problem: Problem, solve: Callable[[Integers], _Solved], told: Told
) -> KernelSolution:
    of_class = [np.flatnonzero(problem.labels == one) for one in range(problem.classes)]
    pairs = list(zip(*pairs_of(problem.classes), strict=True))
    mine = pairs[told.cluster.rank :: told.cluster.size]
    rows = (np.concatenate([of_class[one], of_class[other]]) for one, other in mine)
    solved = list(_told_of(ordered_map(solve, rows), len(mine), told))
    return _assembled(problem, _exchanged(solved, len(pairs), told.cluster))


def _told_of(solved: Iterator[Any], count: int, told: Told) -> Iterator[Any]:
    """The same, with progress ten times on the way."""
    for done, one in enumerate(solved, 1):
        if done * 10 // count > (done - 1) * 10 // count:
            told.progress(done / count)
        yield one


def _exchanged(solved: list[_Solved], pairs: int, cluster: Cluster) -> list[_Solved]:
    """Every host's pairs, in order, on each of them."""
    if cluster.size == 1:
        return solved
    sizes = cluster.gather(np.array([len(one.support) for one in solved], dtype=np.int64))
    support = cluster.gather(_joined([one.support for one in solved], np.intp))
    dual = cluster.gather(_joined([one.dual for one in solved], np.float64))
    bias = cluster.gather(np.array([one.bias for one in solved], dtype=np.float64))
    found: list[_Solved] = []
    ends = [np.concatenate([[0], np.cumsum(part)]) for part in sizes]
    for pair in range(pairs):
        place, host = divmod(pair, cluster.size)
        cut = slice(int(ends[host][place]), int(ends[host][place + 1]))
        number = float(bias[host][place])
        found.append(_Solved(support[host][cut], dual[host][cut], number))
    return found


def _joined(parts: list[npt.NDArray[Any]], kind: type) -> npt.NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *parts])


def _assembled(problem: Problem, solved: list[_Solved]) -> KernelSolution:
    """libsvm's layout: vectors sorted by class, each with coefficients of its class's pairs."""
    used = np.unique(_joined([one.support for one in solved], np.intp))
    support = used[np.argsort(problem.labels[used], kind="stable")]
    place = np.zeros(len(problem.labels), np.intp)
    place[support] = np.arange(len(support))
    dual = np.zeros((problem.classes - 1, len(support)))
    for first, second, one in zip(*pairs_of(problem.classes), solved, strict=True):
        of_first = problem.labels[one.support] == first
        row = np.where(of_first, second - 1, first)
        # scikit-learn's sign is above 0 for the second class, libsvm's for the first
        dual[row, place[one.support]] = -one.dual
    counts = np.bincount(problem.labels[support].astype(np.intp), minlength=problem.classes)
    bias = np.array([-one.bias for one in solved])
    return KernelSolution(OneVsOne(dual, counts, bias), support)


def solve_linear(problem: Problem, settings: Settings, told: Told) -> Linear:
    """liblinear's machine: one output, or one for each class against the others."""
    wanted = [1] if problem.classes == 2 else range(problem.classes)
    dual = _is_dual(problem, settings)
    solve = partial(_one_linear_problem, problem, settings, dual)
    if problem.classes == 1:
        solved: Iterable[tuple[Doubles, float]] = [_numbers(problem, settings, dual)]
    else:
        mine = list(wanted)[told.cluster.rank :: told.cluster.size]
        in_turn = dual or settings.penalty == "l1"
        solved = map(solve, mine) if in_turn else ordered_map(solve, mine)
    with one_thread_blas():
        found = list(solved)
    weights = np.array([one[0] for one in found]).reshape(len(found), problem.inputs.shape[1])
    bias = np.array([one[1] for one in found])
    if problem.classes == 1:
        return Linear(weights, bias)
    return _of_all_hosts(weights, bias, len(list(wanted)), told.cluster)


def _of_all_hosts(weights: Doubles, bias: Doubles, classes: int, cluster: Cluster) -> Linear:
    if cluster.size == 1:
        return Linear(weights, bias)
    all_weights, all_bias = cluster.gather(weights), cluster.gather(bias)
    places = [divmod(one, cluster.size) for one in range(classes)]
    return Linear(
        np.array([all_weights[host][place] for place, host in places]),
        np.array([all_bias[host][place] for place, host in places]),
    )


def _is_dual(problem: Problem, settings: Settings) -> bool:
    """As scikit-learn chooses: the primal where rows are many, or where there is no dual."""
    if settings.loss in {"hinge", "epsilon_insensitive"}:
        return True
    rows, width = problem.inputs.shape
    return bool(rows < width and settings.penalty == "l2")


def _one_linear_problem(
    problem: Problem, settings: Settings, dual: bool, one: int
) -> tuple[Doubles, float]:
    """One class against the others."""
    labels = problem.labels == one
    if labels.all() or not labels.any():
        return np.zeros(problem.inputs.shape[1]), 1.0 if labels.all() else -1.0
    solver = LinearSVC(
        C=settings.C,
        tol=settings.tol,
        max_iter=settings.max_iter,
        loss=settings.loss,
        penalty=settings.penalty,
        dual=dual,
        random_state=settings.seed,
    )
    solver.fit(problem.inputs, labels, sample_weight=problem.costs)
    return solver.coef_[0], float(solver.intercept_[0])


def _numbers(problem: Problem, settings: Settings, dual: bool) -> tuple[Doubles, float]:
    solver = LinearSVR(
        C=settings.C,
        epsilon=settings.epsilon,
        tol=settings.tol,
        max_iter=settings.max_iter,
        loss=settings.loss,
        dual=dual,
        random_state=settings.seed,
    )
    solver.fit(problem.inputs, problem.labels, sample_weight=problem.costs)
    return solver.coef_.ravel(), float(np.ravel(solver.intercept_)[0])


def watched(solve: Callable[[], Any], told: Told) -> Any:
    """What `solve` gives; that a solver reached its limit is said once, in the log."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        found = solve()
    for one in caught:
        if not issubclass(one.category, ConvergenceWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    if any(issubclass(one.category, ConvergenceWarning) for one in caught):
        told.log(
            "the solver ended at max_iter before it converged; scaled features, a smaller C "
            "or a larger tol help"
        )
    return found
