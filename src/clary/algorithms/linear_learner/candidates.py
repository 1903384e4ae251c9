"""Candidates: the settings of the models that are trained side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters

Doubles: TypeAlias = npt.NDArray[np.float64]

# The best single guess for features of unit deviation, and what lies round it
_RATE = {"adam": 0.1, "sgd": 0.1, "rmsprop": 0.03, "adagrad": 0.3}
_RATES = (1.0, 0.3, 3.0, 0.1)
_NEAR = (1.0, 1 / 3, 3.0, 1 / 9)
# Beyond the grid, learning rates lie between this and its inverse times the given one
_FARTHEST_RATE = 10.0
# Beyond this many rows penalties do not get smaller
_MANY_ROWS = 10_000


@dataclass(frozen=True)
class Candidates:
    """One entry for each model; `positive_weight` is what label 1 weighs in training."""

    learning_rate: Doubles
    wd: Doubles
    l1: Doubles
    positive_weight: Doubles

    def __len__(self) -> int:
        return len(self.learning_rate)

    def groups(self, size: int) -> Iterator[Candidates]:
        """The candidates in order, `size` at a time."""
        for start in range(0, len(self), size):
            cut = slice(start, start + size)
            yield Candidates(
                self.learning_rate[cut], self.wd[cut], self.l1[cut], self.positive_weight[cut]
            )

    def settings(self, model: int) -> dict[str, float]:
        """What sets one model apart from the others, by the names of hyperparameters."""
        told = {
            "learning_rate": float(self.learning_rate[model]),
            "wd": float(self.wd[model]),
            "l1": float(self.l1[model]),
        }
        if (self.positive_weight != 1).any():
            told["positive_example_weight_mult"] = float(self.positive_weight[model])
        return told


def candidates_of(
    params: LinearLearnerHyperparameters, count: int, rows: int, balance: float, validated: bool
) -> Candidates:
    """The first has the given settings; the others lie near.

    Penalties left to `auto` suit the number of rows: `wd` 1 / rows is scikit-learn's C = 1. Without
    validation rows a penalty cannot be judged, so that only the learning rate varies.

    Args:
        rows: of train, as far as known.
        balance: weight of label 1 at which both labels weigh the same in total.
    """
    few = min(max(rows, 1), _MANY_ROWS)
    base = _RATE[params.optimizer] if params.learning_rate == "auto" else params.learning_rate
    wds = _around(params.wd, (1 / few, 0.1 / few, 0.0, 10 / few))
    l1s = _around(params.l1, (0.0, 0.1 / few**0.5))
    if not validated:
        wds, l1s = wds[:1], l1s[:1]
    grid = [(factor, wd, l1) for l1, wd, factor in product(l1s, wds, _RATES)][:count]
    for number in range(len(grid), count):
        spread = _FARTHEST_RATE ** (2 * _evenly(number) - 1)
        grid.append((spread, wds[number % len(wds)], l1s[number % len(l1s)]))
    table = np.array(grid, dtype=np.float64)
    positive = np.ones(count)
    if params.positive_example_weight_mult == "auto":
        positive = balance ** np.resize([0.0, 0.5, 1.0], count)
    return Candidates(float(base) * table[:, 0], table[:, 1], table[:, 2], positive)


def _around(given: Any, usual: tuple[float, ...]) -> tuple[float, ...]:
    """`usual` for auto; else the given value and its neighbors; nothing is near a given 0."""
    if given == "auto":
        return usual
    return tuple(float(given) * factor for factor in _NEAR[: len(usual)]) if given else (0.0,)


def _evenly(number: int) -> float:
    """Numbers in [0, 1) that fill it evenly, however many are taken (van der Corput)."""
    place, share = 0.0, 0.5
    while number:
        place += share * (number % 2)
        number, share = number // 2, share / 2
    return place
