"""Probabilities of classes from decisions.

Platt's sigmoid, fitted as in Lin, Lin and Weng, "A note on Platt's probabilistic outputs for
support vector machines" (2007), on decisions of rows that were held out. For several classes, those
of pairs are coupled as in Wu, Lin and Weng, "Probability estimates for multi-class classification
by pairwise coupling" (2004), their second method; those of one class against the others are divided
by their sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from clary.algorithms.svm.heads import Head, Integers, OneVsOne
from clary.algorithms.svm.kernels import Doubles

_FOLDS = 5
_ITERATIONS, _STEPS, _GRADIENT, _RIDGE = 100, 40, 1e-5, 1e-12
# Decisions that are certain would leave nothing to the other classes
_LEAST = 1e-7


@dataclass(frozen=True)
class Calibration:
    """The probability of decision f is 1 / (1 + exp(slope·f + offset)).

    slopes, offsets: (decisions,), of each raw decision.
    """

    slopes: Doubles
    offsets: Doubles

    def probabilities(self, raw: Doubles, head: Head) -> Doubles:
        """(rows,) of label 1 where there is one decision, else (rows, classes)."""
        chances = np.asarray(expit(-(raw * self.slopes + self.offsets)))
        if raw.shape[1] == 1:
            return chances[:, 0]
        chances = np.clip(chances, _LEAST, 1 - _LEAST)
        if isinstance(head, OneVsOne):
            return coupled(chances, head)
        return np.asarray(chances / chances.sum(axis=1, keepdims=True))


def calibrated(
    labels: npt.NDArray[np.floating],
    classes: int,
    solve: Callable[[Integers], Callable[[Integers], Doubles]],
    targets: Callable[[int], tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]],
    rng: np.random.Generator,
) -> Calibration:
    """Sigmoids from cross-validation in five folds, each with its share of every class.

    solve: of some rows' places, what gives raw decisions, (some, decisions), of other places.
    targets: of a decision, which rows it is about and which of them it is to be above 0 for.
    """
    folds = _folds(labels, classes, rng)
    decisions: list[Doubles] = []
    places = [np.flatnonzero(folds == fold) for fold in range(_FOLDS)]
    for held_out in places:
        decide = solve(np.setdiff1d(np.arange(len(labels)), held_out, assume_unique=True))
        decisions.append(decide(held_out))
    raw = np.empty((len(labels), decisions[0].shape[1]))
    raw[np.concatenate(places)] = np.concatenate(decisions)
    fitted = []
    for one in range(raw.shape[1]):
        about, positive = targets(one)
        fitted.append(platt(raw[about, one], positive[about]))
    slopes, offsets = np.array(fitted).T
    return Calibration(slopes, offsets)


def _folds(
    labels: npt.NDArray[np.floating], classes: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    folds = np.empty(len(labels), np.intp)
    dealt = 0
    for one in range(classes):
        rows = rng.permutation(np.flatnonzero(labels == one))
        folds[rows] = (np.arange(len(rows)) + dealt) % _FOLDS
        dealt += len(rows)
    return folds


def platt(decisions: Doubles, positive: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of the sigmoid with the greatest likelihood, by Newton's method."""
    above, below = int(positive.sum()), int((~positive).sum())
    wanted = np.where(positive, (above + 1) / (above + 2), 1 / (below + 2))
    slope, offset = 0.0, float(np.log((below + 1) / (above + 1)))
    loss = _loss(decisions, wanted, slope, offset)
    for _ in range(_ITERATIONS):
        chances = expit(-(slope * decisions + offset))
        errors, spread = wanted - chances, chances * (1 - chances)
        gradient = np.array([errors @ decisions, errors.sum()])
        if np.abs(gradient).max() < _GRADIENT:
            break
        cross = float(spread @ decisions)
        curvature = [[float(spread @ decisions**2), cross], [cross, float(spread.sum())]]
        step = -np.linalg.solve(np.array(curvature) + _RIDGE * np.eye(2), gradient)
        size, slope_down = 1.0, float(gradient @ step)
        for _ in range(_STEPS):
            tried = slope + size * step[0], offset + size * step[1]
            new = _loss(decisions, wanted, *tried)
            if new < loss + 1e-4 * size * slope_down:
                slope, offset, loss = *tried, new
                break
            size /= 2
        else:
            break
    return float(slope), float(offset)


def _loss(decisions: Doubles, wanted: Doubles, slope: float, offset: float) -> float:
    values = slope * decisions + offset
    return float((wanted * values + np.logaddexp(0, -values)).sum())


def coupled(chances: Doubles, head: OneVsOne) -> Doubles:
    """(rows, classes) from chances of the first class of each pair, (rows, pairs).

    They minimize the sum over pairs (i, j) of (r_ji p_i - r_ij p_j)², and sum to 1: one system of
    linear equations a row.
    """
    first, second = head.pairs
    count, classes = len(chances), len(head.counts)
    wins = np.zeros((count, classes, classes))
    wins[:, first, second] = chances
    wins[:, second, first] = 1 - chances
    system = np.zeros((count, classes + 1, classes + 1))
    system[:, :classes, :classes] = -wins * wins.transpose(0, 2, 1)
    diagonal = np.arange(classes)
    system[:, diagonal, diagonal] = (wins**2).sum(axis=1)
    system[:, :classes, classes] = system[:, classes, :classes] = 1
    answer = np.zeros((count, classes + 1, 1))
    answer[:, classes] = 1
    solved = np.maximum(np.linalg.solve(system, answer)[:, :classes, 0], 0)
    return np.asarray(solved / solved.sum(axis=1, keepdims=True))
