"""Which scores are anomalous: those more than three standard deviations above the mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from clary.algorithms.randomcutforest.trees import Doubles

_DEVIATIONS = 3


@dataclass
class Threshold:
    """Mean and variance of scores, which may go on over a stream.

    weight: how many scores they are of, fewer where old ones have faded.
    """

    mean: float = 0.0
    variance: float = 0.0
    weight: float = 0.0

    @classmethod
    def of(cls, scores: Doubles) -> Threshold:
        """That of some scores."""
        if not len(scores):
            return cls()
        return cls(float(np.mean(scores)), float(np.var(scores)), float(len(scores)))

    @property
    def value(self) -> float:
        """Scores above this are anomalous; infinite before there was any."""
        if not self.weight:
            return math.inf
        return self.mean + _DEVIATIONS * math.sqrt(self.variance)

    def add(self, score: float, decay: float) -> None:
        """Take in one more score; those before it fade by the decay."""
        old = self.weight * math.exp(-decay)
        self.weight = old + 1
        change = score - self.mean
        self.mean += change / self.weight
        self.variance = (old * self.variance + change * (score - self.mean)) / self.weight
