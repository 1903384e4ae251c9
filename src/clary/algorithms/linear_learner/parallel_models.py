"""Models trained in step on the same mini-batches, their weights in one matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.linear_learner.candidates import Candidates
from clary.algorithms.linear_learner.losses import Loss
from clary.algorithms.linear_learner.minibatches import MiniBatch
from clary.algorithms.linear_learner.optimizers import Optimizer

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.intp]

# The averaged weights are those of step t times t to this power: the last fifth counts.
_AVERAGE_POWER = 4
# Single precision holds the sum of powers of as many steps as anyone takes when counted in these
_AVERAGE_UNIT = 1000


@dataclass(frozen=True)
class Rules:
    """What all candidates have in common.

    outputs: scores of one model. bias: whether the last column of the weights is the bias.
    """

    outputs: int
    bias: bool
    optimizer: Optimizer
    loss: Loss
    bias_lr_mult: float
    bias_wd_mult: float


@dataclass(frozen=True)
class Schedule:
    """The learning rate falls by `factor` every `every` steps, down to `minimum`."""

    factor: float
    every: int
    minimum: float

    def __call__(self, rate: Doubles, step: int) -> Doubles:
        fallen = np.maximum(rate * self.factor ** (step // self.every), self.minimum)
        return np.minimum(fallen, rate)


class ParallelModels:
    """Candidates with their weights, optimizer state and averaged weights.

    `weights` is (models * outputs, width + bias). For sparse rows its memory lies column by column,
    and a step reads and writes only the columns that occur in the mini-batch: the moments, the
    penalties and the average of the others stand still.
    """

    def __init__(self, candidates: Candidates, start: Floats, rules: Rules, sparse: bool) -> None:
        self.candidates = candidates
        self.rules = rules
        tiled = np.tile(start, (len(candidates), 1))
        self.weights: Floats = np.asfortranarray(tiled) if sparse else tiled
        self.state = [np.zeros_like(self.weights) for _ in range(rules.optimizer.slots)]
        # Sum over the steps of the change times the average's mass before it
        self.lag = np.zeros_like(self.weights)
        self.mass = 0.0
        self.steps = 0
        self.best = self.weights.copy(order="K")
        self.best_loss: Doubles = np.full(len(candidates), np.inf)
        self.loss_sum: Doubles = np.zeros(len(candidates))
        self._rates = np.repeat(candidates.learning_rate, rules.outputs)[:, None]
        self._wd = np.repeat(candidates.wd, rules.outputs)[:, None].astype(np.float32)
        self._l1 = np.repeat(candidates.l1, rules.outputs)[:, None].astype(np.float32)
        self._decays, self._shrinks = bool(self._wd.any()), bool(self._l1.any())
        positive = candidates.positive_weight
        self._positive = None if (positive == 1).all() else positive[:, None].astype(np.float32)

    def gradient(self, batch: MiniBatch) -> Floats:
        """Sum over the rows, (models * outputs, columns); adds the rows' losses to `loss_sum`."""
        slopes = self._shaped(_scores(self.weights, batch))
        losses = self.rules.loss.measure(slopes, batch.label)
        self._weigh(slopes, batch)
        self.loss_sum += _total(losses, batch)
        flat = slopes.reshape(-1, batch.rows)
        if isinstance(batch.features, np.ndarray):
            return flat @ batch.features
        return np.asarray(batch.features.T @ flat.T).T

    def apply(
        self, gradient: Floats, weight: float, touched: Integers | None, schedule: Schedule
    ) -> None:
        """One step along the gradient of rows that weigh `weight`; overwrites the gradient."""
        if weight == 0:
            return
        arrays = [self.weights, self.lag, *self.state]
        parts = arrays if touched is None else [array.T.take(touched, 0).T for array in arrays]
        gradient *= np.float32(1 / weight)
        self._step(gradient, schedule, parts[0], parts[1], parts[2:])
        if touched is not None:
            for array, part in zip(arrays, parts, strict=True):
                array.T[touched] = part.T

    def train(self, batches: list[MiniBatch], schedule: Schedule) -> None:
        """A step for each mini-batch."""
        with np.errstate(all="ignore"):  # a candidate may diverge; it is not picked then
            for batch in batches:
                self.apply(self.gradient(batch), batch.weight, batch.touched, schedule)

    def averaged(self) -> Floats:
        """The average of the weights over the steps, the later ones counting more."""
        if not self.steps:
            return self.weights
        with np.errstate(all="ignore"):
            average = self.weights + self.lag / np.float32(self.mass)
        return np.where((self._l1 > 0) & (self.weights == 0), 0, average)

    def assess(
        self, weights: Floats, batches: list[MiniBatch], keep: bool
    ) -> tuple[Doubles, Floats]:
        """Sum of the losses of each model with other weights; the scores too, if they are kept.

        Scores are (models, rows), or (models, outputs, rows).
        """
        total, scores = np.zeros(len(self.candidates)), []
        with np.errstate(all="ignore"):
            for batch in batches:
                one = self._shaped(_scores(weights, batch))
                if keep:
                    scores.append(one.copy())
                total += _total(self.rules.loss.measure(one, batch.label), batch)
        return total, np.concatenate(scores, axis=-1) if keep else np.zeros(0, np.float32)

    def penalties(self, weights: Floats) -> Doubles:
        """What each model's L2 and L1 penalties add to the mean loss."""
        size = self._wd / 2 * np.square(weights) + self._l1 * np.abs(weights)
        if self.rules.bias:
            size[:, -1] = self._wd[:, 0] / 2 * self.rules.bias_wd_mult * weights[:, -1] ** 2
        models = (len(self.candidates), -1)
        return np.asarray(size.reshape(models).sum(axis=1, dtype=np.float64))

    def keep_better(self, weights: Floats, losses: Doubles) -> None:
        """Keep the weights of those models whose loss is lower than ever."""
        better = losses < self.best_loss
        self.best_loss[better] = losses[better]
        rows = np.repeat(better, self.rules.outputs)
        self.best[rows] = weights[rows]

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """The whole state by name, to go on from."""
        slots = {f"state_{number}": array for number, array in enumerate(self.state)}
        progress = np.array([self.steps, self.mass])
        return {
            "weights": self.weights,
            "lag": self.lag,
            "best": self.best,
            "best_loss": self.best_loss,
            "progress": progress,
            **slots,
        }

    def restore(self, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take over a state of `arrays`."""
        for name, array in self.arrays().items():
            if name != "progress":
                array[...] = arrays[name]
        steps, mass = arrays["progress"]
        self.steps, self.mass = int(steps), float(mass)

    def _step(
        self,
        gradient: Floats,
        schedule: Schedule,
        weights: Floats,
        lag: Floats,
        state: list[Floats],
    ) -> None:
        rules, rate = self.rules, schedule(self._rates, self.steps).astype(np.float32)
        self.steps += 1
        if self._decays:
            decay = self._wd * weights
            if rules.bias:
                decay[:, -1] *= rules.bias_wd_mult
            gradient += decay
        direction, metric = rules.optimizer.direct(gradient, state, self.steps)
        change = np.divide(direction, metric)
        change *= rate
        if rules.bias:
            change[:, -1] *= rules.bias_lr_mult
        if self._shrinks:
            self._shrink(change, weights, rate * self._l1 / metric)
        weights -= change
        change *= np.float32(self.mass)
        lag += change
        self.mass += (self.steps / _AVERAGE_UNIT) ** _AVERAGE_POWER

    def _shrink(self, change: Floats, weights: Floats, by: Floats) -> None:
        """Let the changed weights be nearer to 0 by some, and no farther than 0 (proximal step)."""
        if self.rules.bias:
            by[:, -1] = 0
        after = weights - change
        np.subtract(weights, np.sign(after) * np.maximum(np.abs(after) - by, 0), out=change)

    def _shaped(self, scores: Floats) -> Floats:
        """(models, rows), or (models, outputs, rows)."""
        if not self.rules.loss.vector:
            return scores
        return scores.reshape(-1, self.rules.outputs, scores.shape[1])

    def _weigh(self, slopes: Floats, batch: MiniBatch) -> None:
        if batch.weights is not None:
            slopes *= batch.weights
        if self._positive is not None:
            slopes *= np.where(batch.label > 0, self._positive, np.float32(1))


def _scores(weights: Floats, batch: MiniBatch) -> Floats:
    """(models * outputs, rows)."""
    part = weights.T if batch.touched is None else weights.T.take(batch.touched, 0)
    # Transposing the narrow product costs BLAS less than multiplying by the rows transposed
    return np.ascontiguousarray((batch.features @ part).T)


def _total(losses: Floats, batch: MiniBatch) -> Doubles:
    if batch.weights is not None:
        losses = losses * batch.weights
    return np.asarray(losses.sum(axis=1, dtype=np.float64))
