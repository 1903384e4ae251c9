"""Passes over rows: one that trains all candidates, one that judges them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.linear_learner.candidates import Candidates
from clary.algorithms.linear_learner.losses import Loss
from clary.algorithms.linear_learner.minibatches import MiniBatch, Passes, Preparation, Window
from clary.algorithms.linear_learner.optimizers import optimizer_of
from clary.algorithms.linear_learner.parallel_models import ParallelModels, Rules, Schedule
from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters
from clary.errors import CallerError
from clary.kit.cluster import Cluster
from clary.kit.parallel import ordered_map
from clary.kit.run import Run

# A group has columns enough for BLAS, and steps long enough to be worth a call; the times of a
# number touched and of an operation need not be exact, but must be the same everywhere, since
# another grouping gives other bits.
_GROUP_COLUMNS = 8
_STEP_SECONDS, _TOUCH_SECONDS, _FLOP_SECONDS = 250e-6, 15e-9, 40e-12

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Verdict:
    """Mean loss of each model on all hosts' rows, and the scores of this host's first rows.

    losses: (models,); scores: (models, rows); labels: (rows,).
    """

    losses: Doubles
    scores: Floats
    labels: Floats


@dataclass(frozen=True)
class Training:
    """All candidates in groups, and the rows they learn from.

    Groups are the unit of work of a thread; on one host each goes through a list of mini-batches
    without waiting for the others. On several hosts every step sums the gradients of all, so that
    `batch_rows` of each make one mini-batch. seed: of the order of rows.
    """

    groups: Sequence[ParallelModels]
    preparation: Preparation
    cluster: Cluster
    batch_rows: int
    seed: int

    def learn(
        self, passes: Passes, epoch: int, schedule: Schedule, stop: Callable[[], bool]
    ) -> Doubles:
        """One pass; each model's mean loss while it learned.

        Raises:
            CallerError: a row or a label cannot be used, or all labels of a classifier are one.
        """
        seen = _Seen()
        for group in self.groups:
            group.loss_sum[:] = 0
        windows = (
            window.minibatches(self.batch_rows, (self.seed, epoch, number))
            for number, window in enumerate(seen.watched(passes.windows(epoch)))
        )
        if self.cluster.size > 1:
            self._in_step(chain.from_iterable(windows), schedule, stop)
        else:
            for batches in windows:
                _done(ordered_map(_Learn(batches, schedule), self.groups))
                if stop():
                    break
        losses = self.cluster.all_reduce(np.concatenate([one.loss_sum for one in self.groups]))
        weight = self.cluster.all_reduce(np.array([seen.weight]))[0]
        if not stop():
            self._check_labels(seen)
        if weight == 0:
            raise CallerError.of("channel train, weights", "one at least must be above 0", 0)
        return np.asarray(losses / weight)

    def judge(
        self, passes: Passes, epoch: int, weights: Sequence[Floats], keep_rows: int
    ) -> Verdict:
        """Score other rows with other weights, one array for each group."""
        losses, weight = np.zeros(sum(len(one.candidates) for one in self.groups)), 0.0
        scores, labels, kept = [], [], 0
        for window in passes.windows(epoch):
            batches = window.minibatches(self.batch_rows)
            assess = _Assess(batches, keep=kept < keep_rows)
            found = list(ordered_map(assess, zip(self.groups, weights, strict=True)))
            losses += np.concatenate([one for one, _ in found])
            weight += window.weight
            if kept < keep_rows:
                scores.append(np.concatenate([one for _, one in found]))
                labels.append(window.label)
                kept += len(labels[-1])
        losses = self.cluster.all_reduce(losses) / self.cluster.all_reduce(np.array([weight]))[0]
        if not scores:
            return Verdict(losses, np.zeros((len(losses), 0), np.float32), np.zeros(0, np.float32))
        joined = np.concatenate(scores, axis=-1)[..., :keep_rows]
        return Verdict(losses, joined, np.concatenate(labels)[:keep_rows])

    def _check_labels(self, seen: _Seen) -> None:
        ends = np.concatenate(self.cluster.gather(np.array([seen.low, seen.high])))
        kind = self.preparation.labelling.predictor_type
        if ends.min() == ends.max() and kind in {"binary_classifier", "multiclass_classifier"}:
            raise CallerError.of(
                "channel train",
                f"a {kind} needs labels of two classes at least; every row has the same",
                f"{ends[0]:g}",
            )

    def _in_step(
        self, batches: Iterable[MiniBatch], schedule: Schedule, stop: Callable[[], bool]
    ) -> None:
        """Steps with the other hosts; one that has no rows left adds nothing."""
        source = iter(batches)
        while True:
            batch = next(source, None)
            touched = self._touched(batch)
            gradients = self._gradients(batch, touched)
            told = [0.0 if batch is None else batch.weight, batch is not None, stop()]
            flat = [*(one.ravel() for one in gradients), np.array(told, dtype=np.float32)]
            total = self.cluster.all_reduce(np.concatenate(flat))
            weight, hosts_with_rows, hosts_stopped = total[-3:]
            if not hosts_with_rows or hosts_stopped:
                return
            parts = np.split(total[:-3], np.cumsum([one.size for one in gradients])[:-1])
            for group, part, own in zip(self.groups, parts, gradients, strict=True):
                group.apply(part.reshape(own.shape), float(weight), touched, schedule)

    def _gradients(self, batch: MiniBatch | None, touched: Integers | None) -> list[Floats]:
        """Of each group, over the columns that any host touches."""
        columns = self.groups[0].weights.shape[1] if touched is None else len(touched)
        if batch is None:
            return [np.zeros((len(one.weights), columns), np.float32) for one in self.groups]
        own = list(ordered_map(lambda group: group.gradient(batch), self.groups))
        if touched is None or batch.touched is None:
            return own
        places = np.searchsorted(touched, batch.touched)
        spread = [np.zeros((len(one), columns), np.float32) for one in own]
        for wide, narrow in zip(spread, own, strict=True):
            wide[:, places] = narrow
        return spread

    def _touched(self, batch: MiniBatch | None) -> Integers | None:
        if not self.preparation.sparse:
            return None
        none = np.zeros(0, dtype=np.intp)
        own = none if batch is None or batch.touched is None else batch.touched
        return np.unique(np.concatenate(self.cluster.gather(own)))


def training_of(
    run: Run[LinearLearnerHyperparameters],
    preparation: Preparation,
    candidates: Candidates,
    loss: Loss,
    start: Floats,
) -> Training:
    """The candidates in groups, all starting from the same weights (outputs, width + bias)."""
    params, outputs = run.params, preparation.labelling.outputs
    mults = float(params.bias_lr_mult), float(params.bias_wd_mult)
    rules = Rules(outputs, params.use_bias, optimizer_of(params), loss, *mults)
    size = _group_size(outputs, len(candidates), params.mini_batch_size, start.shape[1])
    return Training(
        [
            ParallelModels(some, start, rules, preparation.sparse)
            for some in candidates.groups(size)
        ],
        preparation,
        run.cluster,
        -(-params.mini_batch_size // run.cluster.size),
        int(run.rng.integers(2**63)),
    )


def _group_size(outputs: int, models: int, rows: int, width: int) -> int:
    """Models in a group, so that each step has enough work."""
    columns = outputs * models
    seconds = columns * (_TOUCH_SECONDS * (rows + width) + _FLOP_SECONDS * 4 * rows * width)
    most = max(1, min(models, columns // _GROUP_COLUMNS))
    groups = max(1, min(most, round(seconds / _STEP_SECONDS)))
    return -(-models // groups)


@dataclass(frozen=True)
class _Learn:
    batches: list[MiniBatch]
    schedule: Schedule

    def __call__(self, group: ParallelModels) -> None:
        group.train(self.batches, self.schedule)


@dataclass(frozen=True)
class _Assess:
    batches: list[MiniBatch]
    keep: bool

    def __call__(self, judged: tuple[ParallelModels, Floats]) -> tuple[Doubles, Floats]:
        group, weights = judged
        return group.assess(weights, self.batches, self.keep)


class _Seen:
    """What a pass goes through: the rows' weight, the lowest and the highest label."""

    def __init__(self) -> None:
        self.weight = 0.0
        self.low, self.high = np.inf, -np.inf

    def watched(self, windows: Iterable[Window]) -> Iterator[Window]:
        """The same windows."""
        for window in windows:
            self.weight += window.weight
            self.low = min(self.low, float(window.label.min()))
            self.high = max(self.high, float(window.label.max()))
            yield window


def _done(work: Iterable[None]) -> None:
    for _ in work:
        pass
