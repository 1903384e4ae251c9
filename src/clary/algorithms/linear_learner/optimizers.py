"""Optimizers: from a gradient to a direction, elementwise and for all models at once.

The step is `rate * direction / metric`; the L1 penalty shrinks by `rate * l1 / metric`. As in
MXNet's optimizers of the same names.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters

Floats: TypeAlias = npt.NDArray[np.float32]

_TINY = 1e-8


class Optimizer(ABC):
    """`slots` is the number of state arrays that it keeps, each of the weights' shape."""

    slots = 1

    @abstractmethod
    def direct(self, gradient: Floats, state: list[Floats], step: int) -> tuple[Floats, Floats]:
        """Direction and metric of the given step, counted from 1; overwrites gradient and state."""


class Adam(Optimizer):
    """Kingma and Ba, arXiv:1412.6980."""

    slots = 2

    def __init__(self, beta_1: float, beta_2: float) -> None:
        self.beta_1, self.beta_2 = beta_1, beta_2

    def direct(self, gradient: Floats, state: list[Floats], step: int) -> tuple[Floats, Floats]:
        mean, square = state
        mean *= self.beta_1
        mean += (1 - self.beta_1) * gradient
        square *= self.beta_2
        np.square(gradient, out=gradient)
        gradient *= 1 - self.beta_2
        square += gradient
        np.sqrt(square, out=gradient)
        gradient += _TINY
        gradient *= (1 - self.beta_1**step) / math.sqrt(1 - self.beta_2**step)
        return mean, gradient


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum where it is above 0."""

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum

    def direct(self, gradient: Floats, state: list[Floats], step: int) -> tuple[Floats, Floats]:
        (speed,) = state
        speed *= self.momentum
        speed += gradient
        gradient.fill(1)
        return speed, gradient


class RMSProp(Optimizer):
    """Tieleman and Hinton's: divides by the root of a running mean of squares."""

    _DECAY = 0.9

    def direct(self, gradient: Floats, state: list[Floats], step: int) -> tuple[Floats, Floats]:
        (square,) = state
        square *= self._DECAY
        square += (1 - self._DECAY) * np.square(gradient)
        return gradient, np.sqrt(square + _TINY)


class AdaGrad(Optimizer):
    """Duchi, Hazan and Singer, JMLR 12 (2011): divides by the root of the sum of squares."""

    def direct(self, gradient: Floats, state: list[Floats], step: int) -> tuple[Floats, Floats]:
        (square,) = state
        square += np.square(gradient)
        return gradient, np.sqrt(square + _TINY)


def optimizer_of(params: LinearLearnerHyperparameters) -> Optimizer:
    """The settled optimizer."""
    if params.optimizer == "adam":
        return Adam(float(params.beta_1), float(params.beta_2))
    if params.optimizer == "sgd":
        return SGD(float(params.momentum))
    return RMSProp() if params.optimizer == "rmsprop" else AdaGrad()
