"""Linear machines with squared losses on dense inputs, all outputs at once, by Newton's method.

The objective is liblinear's: for each output |w|²/2 + C · sum of cost · excess², the bias being one
more weight, whose input is 1. excess is max(0, 1 - y·f) for classes y of 1 and -1, and
max(0, |f - y| - epsilon) for numbers. Chapelle, "Training a support vector machine in the primal"
(2007). Newton's equations are solved by conjugate gradients, as Lin, Weng and Keerthi do ("Trust
region Newton method for large-scale logistic regression", 2008), here preconditioned: the curvature
is nearly that of all rows times the share of rows with an excess, and one eigendecomposition of the
inputs' products inverts that for every share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg

from clary.algorithms.svm.heads import Linear
from clary.algorithms.svm.kernels import Doubles
from clary.kit.parallel import one_thread_blas, ordered_map

Array = npt.NDArray[Any]

_CHUNK_NUMBERS = 2**21
_STEPS, _HALVINGS = 30, 20
# How well Newton's equations are solved, relative to the gradient
_FORCING = 0.1


@dataclass(frozen=True)
class Rows:
    """inputs: (rows, inputs) in float32 or float64; targets: (rows, outputs); costs: (rows,).

    epsilon: None for classes, whose targets are 1 and -1.
    """

    inputs: Array
    targets: Array
    costs: Doubles
    epsilon: float | None

    def excess(self, values: Array, targets: Array) -> tuple[Array, Array]:
        """How far values are from where they cost nothing, and in which direction that grows."""
        if self.epsilon is None:
            return np.maximum(1 - targets * values, 0), -targets
        residual = values - targets
        return np.maximum(np.abs(residual) - self.epsilon, 0), np.sign(residual)

    def slices(self) -> Iterator[slice]:
        """Pieces that one thread works on at a time."""
        size = max(64, _CHUNK_NUMBERS // (self.inputs.shape[1] + 1))
        for start in range(0, len(self.inputs), size):
            yield slice(start, start + size)


def solve_primal(
    rows: Rows, price: float, tol: float, max_iter: int, stopped: Callable[[], bool]
) -> tuple[Linear, bool]:
    """The machine, and whether every output's gradient fell below `tol` of what it began with."""
    with one_thread_blas():
        search = _Search(rows, price)
        for _ in range(max_iter):
            if not search.improve(tol) or stopped():
                break
        weights = search.weights.T
        return Linear(np.ascontiguousarray(weights[:, :-1]), weights[:, -1].copy()), search.done


class _Search:
    """weights: (inputs + 1, outputs), the bias last; values: (rows, outputs), what they give."""

    def __init__(self, rows: Rows, price: float) -> None:
        self.rows = rows
        count, outputs = rows.targets.shape
        self.prices = (price * rows.costs).astype(rows.inputs.dtype)[:, None]
        self.weights = np.zeros((rows.inputs.shape[1] + 1, outputs))
        self.values = np.zeros((count, outputs), rows.inputs.dtype)
        self.open = np.arange(outputs)
        self.first: Doubles | None = None
        self.done = False
        strengths, self.axes = linalg.eigh(self._products(), overwrite_a=True)
        self.strengths = np.maximum(strengths, 0)

    def improve(self, tol: float) -> bool:
        """One step of the outputs that are not there yet; False where there are none."""
        gradient, curved = self._gradient()
        sizes = np.linalg.norm(gradient, axis=0)
        if self.first is None:
            self.first = np.maximum(sizes, np.finfo(np.float64).tiny)
        going = sizes > tol * self.first[self.open]
        self.open = self.open[going]
        if not len(self.open):
            self.done = True
            return False
        step = self._direction(gradient[:, going], curved[:, going])
        return self._move(step, np.einsum("ij,ij->j", step, gradient[:, going]))

    def _products(self) -> Doubles:
        """Of the inputs with each other, by the prices: (inputs + 1, inputs + 1)."""

        def part(cut: slice) -> Doubles:
            one = _with_ones(self.rows.inputs[cut])
            return np.asarray((one * self.prices[cut]).T @ one, np.float64)

        return _summed(part, self.rows)

    def _gradient(self) -> tuple[Doubles, Array]:
        """Of the open outputs, and the curvature of each row's loss, (rows, open)."""
        curved = np.empty((len(self.values), len(self.open)), self.values.dtype)

        def part(cut: slice) -> Doubles:
            targets = self.rows.targets[cut][:, self.open]
            excess, sign = self.rows.excess(self.values[cut][:, self.open], targets)
            curved[cut] = 2 * self.prices[cut] * (excess > 0)
            return _transposed(self.rows.inputs[cut], 2 * self.prices[cut] * excess * sign)

        return self.weights[:, self.open] + _summed(part, self.rows), curved

    def _direction(self, gradient: Doubles, curved: Array) -> Doubles:
        """Newton's, by preconditioned conjugate gradients for all open outputs at once."""
        share = curved.sum(axis=0, dtype=np.float64) / self.prices.sum(dtype=np.float64)

        def eased(residual: Doubles) -> Doubles:
            inside = self.axes.T @ residual
            return np.asarray(self.axes @ (inside / (1 + share * self.strengths[:, None])))

        def bent(direction: Doubles) -> Doubles:
            single = direction.astype(curved.dtype)

            def part(cut: slice) -> Doubles:
                inputs = self.rows.inputs[cut]
                return _transposed(inputs, curved[cut] * _product(inputs, single))

            return direction + _summed(part, self.rows)

        step, residual = np.zeros_like(gradient), -gradient
        limit = _FORCING * np.linalg.norm(gradient, axis=0)
        eased_residual = eased(residual)
        direction = eased_residual
        size = np.einsum("ij,ij->j", residual, eased_residual)
        for _ in range(_STEPS):
            image = bent(direction)
            length = size / np.maximum(np.einsum("ij,ij->j", direction, image), _TINY)
            # Those that are solved rest while others go on
            length[np.linalg.norm(residual, axis=0) <= limit] = 0
            step += length * direction
            residual -= length * image
            if (np.linalg.norm(residual, axis=0) <= limit).all():
                break
            eased_residual = eased(residual)
            new_size = np.einsum("ij,ij->j", residual, eased_residual)
            direction = eased_residual + new_size / np.maximum(size, _TINY) * direction
            size = new_size
        return step

    def _move(self, step: Doubles, slope: Doubles) -> bool:
        """Go along the step as far as the loss falls; False if it falls nowhere."""
        single = step.astype(self.values.dtype)

        def went(cut: slice) -> Array:
            return _product(self.rows.inputs[cut], single)

        change = np.concatenate(list(ordered_map(went, self.rows.slices())))
        before, size = self._loss(0 * slope, step, change), np.ones(len(slope))
        for _ in range(_HALVINGS):
            short = self._loss(size, step, change) > before + 1e-4 * size * slope
            if not short.any():
                break
            size[short] /= 2
        else:
            size[short] = 0
        self.weights[:, self.open] += size * step
        self.values[:, self.open] += (size * change).astype(self.values.dtype)
        return bool(size.any())

    def _loss(self, size: Doubles, step: Doubles, change: Array) -> Doubles:
        """(open,) the objective after going `size` of the step."""

        def part(cut: slice) -> Doubles:
            values = self.values[cut][:, self.open] + size * change[cut]
            excess, _ = self.rows.excess(values, self.rows.targets[cut][:, self.open])
            return np.asarray((self.prices[cut] * excess**2).sum(axis=0, dtype=np.float64))

        weights = self.weights[:, self.open] + size * step
        return np.asarray(0.5 * (weights**2).sum(axis=0) + _summed(part, self.rows))


_TINY = np.finfo(np.float64).tiny


def _summed(part: Callable[[slice], Doubles], rows: Rows) -> Doubles:
    """The sum over chunks, in their order."""
    return sum(ordered_map(part, rows.slices()), np.zeros(()))


def _with_ones(inputs: Array) -> Array:
    return np.column_stack([inputs, np.ones(len(inputs), inputs.dtype)])


def _product(inputs: Array, weights: Array) -> Array:
    """(rows, outputs) of weights with a bias as their last row."""
    return np.asarray(inputs @ weights[:-1] + weights[-1])


def _transposed(inputs: Array, values: Array) -> Doubles:
    """(inputs + 1, outputs): sums of rows' inputs and 1, by the values."""
    return np.vstack([inputs.T @ values, values.sum(axis=0)]).astype(np.float64)
