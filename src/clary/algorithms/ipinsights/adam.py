"""Adam for tables of which a mini-batch touches few rows, with the result as if it moved all.

After its last gradient a row goes on with what is left of its momentum. Those steps are a geometric
series, so that they can wait until the row is touched again, or asked for, and be taken as one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.ipinsights import kernels
from clary.kit.parallel import ordered_map

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int32]

_CHUNK_ROWS = 2048
_BLOCK_STEPS = 4096
# Of a momentum this many steps old nothing is left in single precision
_LONG_STEPS = 512


@dataclass
class Pace:
    """Step sizes by the number of the step, which are counted from 1.

    at: the learning rate times √(1 - β₂ᵗ) / (1 - β₁ᵗ), which multiplies a mean over the root of a
        square. ahead: how far a row goes that has no gradient from now on: with r = β₁ / √β₂, the
        sum over k ≥ 1 of at[t + k] rᵏ. So from t to t + n it goes ahead[t] - rⁿ ahead[t + n].
    """

    learning_rate: float
    at: Doubles = field(default_factory=lambda: np.zeros(0))
    ahead: Doubles = field(default_factory=lambda: np.zeros(0))

    def reach(self, step: int) -> None:
        """Know the steps up to this one."""
        if step < len(self.at):
            return
        known = (step // _BLOCK_STEPS + 1) * _BLOCK_STEPS
        steps = np.arange(1, known + _LONG_STEPS)
        sizes = np.sqrt(1 - kernels.BETA_2**steps) / (1 - kernels.BETA_1**steps)
        pace = np.concatenate([[0.0], self.learning_rate * sizes])
        ratio = kernels.BETA_1 / np.sqrt(kernels.BETA_2)
        ahead = np.zeros(len(pace))
        for number in range(len(pace) - 2, -1, -1):
            ahead[number] = ratio * (pace[number + 1] + ahead[number + 1])
        self.at, self.ahead = pace[:known], ahead[:known]


@dataclass
class Weights:
    """Parameters, Adam's two moments, each (rows, dim), and the step that a row is at."""

    values: Floats
    first: Floats
    second: Floats
    last: Rows

    @classmethod
    def of(cls, values: Floats, step: int = 0) -> Weights:
        """With moments of zero, which take no memory until they are touched."""
        last = np.full(len(values), step, np.int32)
        first, second = (np.zeros(values.shape, np.float32) for _ in range(2))
        return cls(values, first, second, last)

    def and_more(self, more: Weights) -> Weights:
        """These rows and then those."""
        names = ("values", "first", "second", "last")
        return Weights(
            *(np.concatenate([getattr(self, name), getattr(more, name)]) for name in names)
        )

    def move(self, rows: Rows, gradient: Floats, decay: float, step: int, pace: Pace) -> None:
        """Take a step with the gradient of some rows, each of which is there once."""
        self.coast(rows, step - 1, pace)

        def some(part: slice) -> None:
            kernels.adam(*self._parts(rows[part]), step, pace.at, gradient[part], np.float32(decay))

        _run(some, len(rows))

    def coast(self, rows: Rows, step: int, pace: Pace) -> None:
        """Bring some rows, each of which is there once, to where the steps so far take them."""
        pace.reach(step + 1)
        behind = rows[self.last[rows] < step]
        _run(lambda part: kernels.coast(*self._parts(behind[part]), step, pace.ahead), len(behind))

    def _parts(self, rows: Rows) -> tuple[Floats, Floats, Floats, Rows, Rows]:
        return self.values, self.first, self.second, self.last, rows


def _run(work: Callable[[slice], None], rows: int) -> None:
    parts = [slice(start, start + _CHUNK_ROWS) for start in range(0, rows, _CHUNK_ROWS)]
    # One part is not worth a thread
    for _ in ordered_map(work, parts) if len(parts) > 1 else map(work, parts):
        pass
