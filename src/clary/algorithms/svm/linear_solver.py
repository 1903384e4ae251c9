"""Machines that are linear in their inputs.

Dense inputs with squared losses are solved by `primal.py`, all classes at once. The rest is
liblinear's, through scikit-learn: Fan et al., "LIBLINEAR: a library for large linear
classification" (2008). In the primal it works without Python's lock and classes are trained side by
side; in the dual it draws from one generator of the whole process, so classes come one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from sklearn.svm import LinearSVC, LinearSVR

from clary.algorithms.svm.heads import Linear
from clary.algorithms.svm.kernels import Doubles
from clary.algorithms.svm.primal import Rows, solve_primal
from clary.algorithms.svm.problem import Problem, Settings, Told
from clary.kit.cluster import Cluster
from clary.kit.parallel import one_thread_blas, ordered_map

_SQUARED = {"squared_hinge", "squared_epsilon_insensitive"}
# Beyond this, products of features with each other are no longer little beside the rows
_WIDEST = 4096


def solve_linear(problem: Problem, settings: Settings, told: Told) -> Linear:
    """One output, or one for each class against the others; hosts share the classes."""
    wanted = {1: [0], 2: [1]}.get(problem.classes) or list(range(problem.classes))
    shared = problem.classes > 2
    mine = wanted[told.cluster.rank :: told.cluster.size] if shared else wanted
    if _suits_primal(problem, settings):
        found = _by_newton(problem, settings, told, mine)
    else:
        found = _by_liblinear(problem, settings, mine)
    return _of_all_hosts(found, len(wanted), told.cluster) if shared else found


def _suits_primal(problem: Problem, settings: Settings) -> bool:
    rows, width = problem.inputs.shape
    dense = isinstance(problem.inputs, np.ndarray) and width <= min(rows, _WIDEST)
    return bool(dense and settings.loss in _SQUARED and settings.penalty == "l2")


def _by_newton(problem: Problem, settings: Settings, told: Told, mine: Sequence[int]) -> Linear:
    inputs = np.asarray(problem.inputs)
    labels = problem.labels[:, None]
    targets = labels if problem.classes == 1 else np.where(labels == np.array(mine), 1, -1)
    epsilon = settings.epsilon if problem.classes == 1 else None
    rows = Rows(inputs, targets.astype(inputs.dtype), problem.costs, epsilon)
    found, done = solve_primal(rows, settings.C, settings.tol, settings.max_iter, told.stopped)
    if not done:
        told.unfinished()
    return found


def _by_liblinear(problem: Problem, settings: Settings, mine: Sequence[int]) -> Linear:
    dual = _is_dual(problem, settings)
    in_turn = dual or settings.penalty == "l1"
    if in_turn and problem.classes > 2 and len(mine) == len(np.unique(problem.labels)):
        return _all_in_turn(problem, settings, dual)
    solve = partial(_one_problem, problem, settings, dual)
    with one_thread_blas():
        found = list(map(solve, mine) if in_turn else ordered_map(solve, mine))
    weights = np.array([one[0] for one in found]).reshape(len(found), problem.inputs.shape[1])
    return Linear(weights, np.array([one[1] for one in found]))


def _is_dual(problem: Problem, settings: Settings) -> bool:
    """As scikit-learn chooses: the primal where rows are many, or where there is no dual."""
    if settings.loss not in _SQUARED:
        return True
    rows, width = problem.inputs.shape
    return bool(rows < width and settings.penalty == "l2")


def _all_in_turn(problem: Problem, settings: Settings, dual: bool) -> Linear:
    """All classes in one call, so that liblinear copies the rows once."""
    solver = _classifier(settings, dual)
    with one_thread_blas():
        solver.fit(problem.inputs, problem.labels, sample_weight=problem.costs)
    return Linear(solver.coef_, np.ravel(solver.intercept_))


def _one_problem(
    problem: Problem, settings: Settings, dual: bool, one: int
) -> tuple[Doubles, float]:
    """Numbers, or one class against the others."""
    solver, labels = _regressor(settings, dual), problem.labels
    if problem.classes > 1:
        solver, labels = _classifier(settings, dual), problem.labels == one
        if labels.all() or not labels.any():
            # Seen while cross-validating rare classes
            return np.zeros(problem.inputs.shape[1]), 1.0 if labels.all() else -1.0
    solver.fit(problem.inputs, labels, sample_weight=problem.costs)
    return np.ravel(solver.coef_), float(np.ravel(solver.intercept_)[0])


def _classifier(settings: Settings, dual: bool) -> LinearSVC:
    return LinearSVC(
        penalty=settings.penalty,
        loss=settings.loss,
        dual=dual,
        tol=settings.tol,
        C=settings.C,
        random_state=settings.seed,
        max_iter=settings.max_iter,
    )


def _regressor(settings: Settings, dual: bool) -> LinearSVR:
    return LinearSVR(
        epsilon=settings.epsilon,
        loss=settings.loss,
        dual=dual,
        tol=settings.tol,
        C=settings.C,
        random_state=settings.seed,
        max_iter=settings.max_iter,
    )


def _of_all_hosts(found: Linear, classes: int, cluster: Cluster) -> Linear:
    if cluster.size == 1:
        return found
    weights, bias = cluster.gather(found.weights), cluster.gather(found.bias)
    places = [divmod(one, cluster.size) for one in range(classes)]
    return Linear(
        np.array([weights[host][place] for place, host in places]),
        np.array([bias[host][place] for place, host in places]),
    )
