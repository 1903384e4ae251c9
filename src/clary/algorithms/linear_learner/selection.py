"""Selection: the threshold that suits a criterion, when to stop, and which model to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

_AS_GOOD = 1.002
# A model contends for the lowest loss if its own is at most so many times that
_CONTENDS = 1.1


def first_of_the_lowest(losses: Doubles) -> int:
    """The first model whose loss is the lowest, or so near that held-out rows cannot tell.

    The first candidates are the likeliest to do well on rows not seen.
    """
    return int(np.flatnonzero(losses <= losses.min() * _AS_GOOD)[0])


def calibrate(
    scores: Floats, labels: Floats, params: LinearLearnerHyperparameters, usual: float
) -> tuple[float, float]:
    """The threshold at which the criterion is highest, and the criterion there.

    A row is positive from the threshold on. Thresholds lie midway between neighboring scores; of
    those equally good the one nearest to `usual` is taken. Where a target of precision or recall
    cannot be held, the threshold that comes nearest to it is.
    """
    counts = _counts(scores, labels)
    values = _criterion(counts, params)
    best = np.flatnonzero(values >= values.max())
    nearest = best[np.argmin(np.abs(counts.thresholds[best] - usual))]
    return float(counts.thresholds[nearest]), float(values[nearest])


@dataclass(frozen=True)
class _Counts:
    """For each threshold, the rows from it on that are rightly and wrongly positive."""

    thresholds: Doubles
    hits: Doubles
    alarms: Doubles
    positives: float
    rows: float


def _counts(scores: Floats, labels: Floats) -> _Counts:
    order = np.argsort(scores, kind="stable")
    ranked, positive = scores[order].astype(np.float64), labels[order].astype(np.float64)
    # Places where a cut may be: below all, between unlike neighbors, above all
    cuts = np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1, [len(ranked)]])
    below = np.concatenate([[0.0], np.cumsum(positive)])[cuts]
    thresholds = np.empty(len(cuts))
    thresholds[1:-1] = (ranked[cuts[1:-1] - 1] + ranked[cuts[1:-1]]) / 2
    thresholds[0], thresholds[-1] = ranked[0], np.nextafter(ranked[-1], np.inf)
    hits = positive.sum() - below
    alarms = len(ranked) - cuts - hits
    return _Counts(thresholds, hits, alarms, float(positive.sum()), float(len(ranked)))


def _criterion(counts: _Counts, params: LinearLearnerHyperparameters) -> Doubles:
    """By threshold. Thresholds that miss a target get below 0, the more the farther off."""
    hits, alarms = counts.hits, counts.alarms
    recall = hits / max(counts.positives, 1)
    precision = hits / np.maximum(hits + alarms, 1)
    criterion = params.binary_classifier_model_selection_criteria
    if criterion == "accuracy":
        return np.asarray(
            (hits + counts.rows - counts.positives - alarms) / counts.rows, dtype=np.float64
        )
    if criterion in {"f_beta", "f1"}:
        beta = params.f_beta**2 if criterion == "f_beta" else 1.0
        share = beta * counts.positives + hits + alarms
        return np.asarray((1 + beta) * hits / np.maximum(share, 1e-300), dtype=np.float64)
    if criterion == "precision_at_target_recall":
        missing = recall - params.target_recall
        return np.where(missing >= 0, precision, missing)
    missing = precision - params.target_precision
    return np.where(missing >= 0, recall, missing)


class EarlyStopping:
    """Ends a training when nothing has improved for `patience` epochs.

    An improvement is one of the criterion, or of the loss of a contender: a model whose loss is
    not far from the lowest. It counts from `tolerance` times the best value before on.
    """

    def __init__(self, patience: int, tolerance: float) -> None:
        self.patience = patience
        self._losses, self._criterion = _Lowest(tolerance), _Lowest(tolerance)

    def add(self, losses: Doubles, criterion: float | None) -> None:
        """The models' losses after one more epoch, and what is to be maximized."""
        self._losses.add(losses)
        if criterion is not None:
            self._criterion.add(np.array([1 / max(criterion, 1e-9)]))

    @property
    def is_over(self) -> bool:
        """Whether the last epochs brought nothing."""
        idle = self._losses.idle
        if self._criterion.values:
            idle = min(idle, self._criterion.idle)
        return idle >= self.patience

    def state(self) -> list[tuple[list[float], int]]:
        """What to go on from, JSON-able."""
        return [(one.values, one.idle) for one in (self._losses, self._criterion)]

    def restore(self, state: list[tuple[list[float], int]]) -> None:
        """Take over a state."""
        for one, (values, idle) in zip((self._losses, self._criterion), state, strict=True):
            one.values, one.idle = values, idle


class _Lowest:
    """The lowest values so far, and for how many epochs no contender fell below its own."""

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance
        self.values: list[float] = []
        self.idle = 0

    def add(self, now: Doubles) -> None:
        before = np.array(self.values or np.full(len(now), np.inf))
        lowest = np.fmin(before, now)
        improved = now < (1 - self.tolerance) * before
        contends = now <= _CONTENDS * lowest.min()
        self.idle = 0 if (improved & contends).any() else self.idle + 1
        self.values = lowest.tolist()
