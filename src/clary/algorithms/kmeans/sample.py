"""A sample of a stream, in fixed memory, on which the merged centers are refined.

Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006: each row draws a key
from an exponential law with its weight as rate; the rows of the smallest keys are the sample. What
each stands for is Horvitz and Thompson's 1952 estimate, weight / probability to be in the sample.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from clary.algorithms.kmeans.assignment import (
    Doubles,
    Integers,
    Rows,
    near_origin,
    sums_of,
)
from clary.codecs.batch import Batch, Floats, concatenate

# How far the sample may outgrow its size before it is cut back
_SLACK = 1.5
_LARGEST_EXPONENT = 700.0


@dataclass(frozen=True)
class Drawn:
    """rows: what was kept, each weighing what it stands for; labels: where each went."""

    rows: Rows
    labels: Integers

    def chunks(self) -> Iterator[tuple[Rows, Integers]]:
        """Pieces of both, as views."""
        start = 0
        for chunk in self.rows.chunks():
            yield chunk, self.labels[start : start + chunk.count]
            start += chunk.count

    def summed(self, count: int, origin: Floats) -> tuple[Doubles, Doubles]:
        """Sums, (count, width) and relative to the origin, and weights, (count,), by label."""
        sums, weights = np.zeros((count, len(origin))), np.zeros(count)
        for chunk, labels in self.chunks():
            near = near_origin(chunk.features, origin)
            some = sums_of(near, chunk.weights_or_ones(), labels, count, origin)
            sums += some[0]
            weights += some[1]
        return sums, weights


@dataclass
class Sample:
    """Rows kept of a stream.

    size: how many are kept. half_life: rows after which a row's weight has halved; 0 means never.
    """

    size: int
    half_life: int
    rng: np.random.Generator
    _held: list[Batch] = field(default_factory=list)
    _count: int = 0
    _threshold: float = math.inf

    def add(self, rows: Rows, labels: Integers, time: int) -> None:
        """See some rows.

        labels: (rows,), the extra center each went to; time: rows seen before these.
        """
        weights = np.ones(rows.count) if rows.weights is None else rows.weights.astype(np.float64)
        with np.errstate(divide="ignore"):
            # In logarithms, as weights that decay grow beyond all bounds towards the present
            logs = np.log(weights) + self._growth(time)
        keys = np.log(self.rng.exponential(size=rows.count)) - logs
        kept = np.flatnonzero(keys < self._threshold)
        extras = {"key": keys[kept], "log_weight": logs[kept], "label": labels[kept]}
        self._held.append(Batch(rows.features[kept], extras=extras))
        self._count += len(kept)
        if self._count > _SLACK * self.size:
            self._cut()

    def drawn(self, time: int, width: int) -> Drawn:
        """The sample, with weights as they are after `time` rows."""
        if self._count > self.size:
            self._cut()
        if not self._held:
            return Drawn(Rows(np.zeros((0, width), np.float32)), np.zeros(0, np.intp))
        held = concatenate(self._held)
        logs = held.extras["log_weight"]
        rates = np.exp(np.minimum(logs + self._threshold, _LARGEST_EXPONENT))
        weights = np.exp(logs - self._growth(time)) / -np.expm1(-rates)
        return Drawn(Rows(held.features, weights), held.extras["label"])

    def _growth(self, time: int) -> float:
        return time * math.log(2) / self.half_life if self.half_life else 0.0

    def _cut(self) -> None:
        """Keep the rows of the smallest keys; the next key is the threshold from now on."""
        held = concatenate(self._held)
        keys = held.extras["key"]
        order = np.argpartition(keys, self.size)
        self._threshold = float(keys[order[self.size]])
        kept = np.sort(order[: self.size])
        extras = {name: values[kept] for name, values in held.extras.items()}
        self._held = [Batch(held.features[kept], extras=extras)]
        self._count = self.size
