"""libsvm through scikit-learn: kernel machines.

Chang and Lin, "LIBSVM: a library for support vector machines" (2011). libsvm draws no random
numbers here and works without Python's lock, so pairs of classes are trained side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.svm import SVC, SVR

from clary.algorithms.svm.heads import Head, Integers, Linear, OneVsOne, pairs_of
from clary.algorithms.svm.kernels import Doubles, Kernel, Rows
from clary.algorithms.svm.problem import Problem, Settings, Told
from clary.kit.cluster import Cluster
from clary.kit.parallel import one_thread_blas, ordered_map

# Kernel columns that libsvm keeps while it solves one problem
_CACHE_MIB = 500
# Where the whole kernel matrix is made beforehand: 128 MiB, and as much inside libsvm
_MOST_AT_ONCE, _WIDE, _PIECE = 4096, 128, 512
# What a pair is still given when the training is to end
_HURRIED_ITERATIONS = 200


# Rows of a problem, and the class of two that is to be above 0
_Posed: TypeAlias = "tuple[Integers, int]"


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
    with one_thread_blas():
        one = solve((np.arange(len(problem.labels)), 1))
    order = np.argsort(one.support, kind="stable")
    return KernelSolution(Linear(one.dual[order][None], np.array([one.bias])), one.support[order])


@dataclass(frozen=True)
class _Solved:
    """Coefficients of support vectors, by their places among all rows."""

    support: Integers
    dual: Doubles
    bias: float


def _one_kernel_problem(
    problem: Problem, kernel: Kernel, settings: Settings, told: Told, posed: _Posed
) -> _Solved:
    """Of rows of two classes, above 0 for the higher one; of numbers, the number."""
    rows, higher = posed
    part = problem.of(rows)
    if problem.classes > 1 and len(np.unique(part.labels)) < 2:
        # Seen while cross-validating rare classes
        side = 0.0 if not len(rows) else 1.0 if part.labels[0] == higher else -1.0
        return _Solved(np.zeros(0, np.intp), np.zeros(0), side)
    inputs, name = part.inputs, str(kernel.name)
    if _is_quicker_at_once(inputs):
        inputs, name = _matrix(kernel, inputs), "precomputed"
    shared = {
        "kernel": name,
        "gamma": kernel.gamma,
        "degree": kernel.degree,
        "coef0": kernel.coef0,
        "C": settings.C,
        "tol": settings.tol,
        "max_iter": _HURRIED_ITERATIONS if told.stopped() else settings.max_iter,
        "cache_size": _CACHE_MIB,
    }
    solver = SVR(epsilon=settings.epsilon, **shared) if problem.classes == 1 else SVC(**shared)
    solver.fit(inputs, part.labels, sample_weight=part.costs)
    dual = solver.dual_coef_
    flat = dual.ravel() if isinstance(dual, np.ndarray) else dual.toarray().ravel()
    return _Solved(rows[solver.support_], flat, float(solver.intercept_[0]))


def _is_quicker_at_once(inputs: Rows) -> bool:
    """Whether the whole kernel matrix costs less by matrix products than libsvm's single values."""
    rows, width = inputs.shape
    wide = not isinstance(inputs, np.ndarray) or width >= _WIDE
    return bool(wide and rows <= _MOST_AT_ONCE)


def _matrix(kernel: Kernel, inputs: Rows) -> Doubles:
    """(rows, rows), by pieces: where this is the only problem, threads share them."""
    pieces = (inputs[start : start + _PIECE] for start in range(0, inputs.shape[0], _PIECE))
    return np.concatenate(list(ordered_map(lambda one: kernel.values(one, inputs), pieces)))


def _one_vs_one(problem: Problem, solve: Callable[[_Posed], _Solved], told: Told) -> KernelSolution:
    of_class = [np.flatnonzero(problem.labels == one) for one in range(problem.classes)]
    pairs = list(zip(*pairs_of(problem.classes), strict=True))
    mine = pairs[told.cluster.rank :: told.cluster.size]
    posed = ((np.concatenate([of_class[one], of_class[two]]), int(two)) for one, two in mine)
    solved = list(_told_of(ordered_map(solve, posed), len(mine), told))
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
