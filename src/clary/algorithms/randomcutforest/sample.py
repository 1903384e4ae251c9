"""The rows that the trees are grown from: a sample of the stream on every host, in fixed memory.

P. Efraimidis, P. Spirakis, "Weighted random sampling with a reservoir", Information Processing
Letters 97 (2006): each row draws a key from an exponential law with its weight as rate, and the
rows of the smallest keys are the sample. With a decay, weights grow with time; keys are kept as
logarithms, as the weights grow beyond all bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clary.algorithms.randomcutforest.trees import Doubles, Floats
from clary.kit.cluster import Cluster

# How far the sample may outgrow its size before it is cut back
_SLACK = 1.5


@dataclass
class Reservoir:
    """The sample of one host's rows.

    size: rows kept of all hosts' together. decay: by how much a row's weight exceeds that of the
    row before, relative. every: rows of all hosts that pass while one passes here.
    """

    size: int
    decay: float
    every: int
    rng: np.random.Generator
    seen: int = 0
    _rows: list[Floats] = field(default_factory=list)
    _keys: list[Doubles] = field(default_factory=list)
    _threshold: float = np.inf

    def add(self, rows: Floats) -> None:
        """See some rows, (rows, width)."""
        times = self.every * np.arange(self.seen, self.seen + len(rows), dtype=np.float64)
        keys = np.log(self.rng.exponential(size=len(rows))) - self.decay * times
        kept = np.flatnonzero(keys < self._threshold)
        self._rows.append(rows[kept])
        self._keys.append(keys[kept])
        self.seen += len(rows)
        if sum(map(len, self._keys)) > _SLACK * self.size:
            self._cut()

    def drawn(self, width: int, cluster: Cluster) -> tuple[Floats, Doubles]:
        """The sample of all hosts' rows, (size, width), and its keys, in no order that matters.

        It is the same on every host; where there are fewer rows, it is all of them.
        """
        self._cut()
        rows = self._rows[0] if self._rows else np.zeros((0, width), np.float32)
        keys = self._keys[0] if self._keys else np.zeros(0)
        if cluster.size > 1:
            # So that only rows of the sample travel
            everyones = np.sort(np.concatenate(cluster.gather(keys)))
            chosen = keys <= everyones[: self.size][-1] if len(everyones) else keys < 0
            rows = np.concatenate(cluster.gather(rows[chosen]))
            keys = np.concatenate(cluster.gather(keys[chosen]))
        return rows, keys

    def _cut(self) -> None:
        """Keep the rows of the smallest keys; no later row with a larger one can be among them."""
        if not self._keys:
            return
        rows, keys = np.concatenate(self._rows), np.concatenate(self._keys)
        if len(keys) > self.size:
            kept = np.sort(np.argpartition(keys, self.size - 1)[: self.size])
            rows, keys = rows[kept], keys[kept]
            self._threshold = float(keys.max())
        self._rows, self._keys = [rows], [keys]
