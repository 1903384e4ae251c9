"""What rows are like: counted in one pass, before anyone trains on them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.codecs.batch import Batch
from clary.data.channel import Channel

Numbers: TypeAlias = npt.NDArray[np.float64]

_BATCH_ROWS = 8192
_MOST_CLASSES = 1000


@dataclass
class Survey:
    """Counts over a channel; arrays have one entry for each feature.

    labels: how often each label value occurs, as long as there are not too many (then None).
    """

    rows: int = 0
    sparse: bool = False
    low: Numbers = field(default_factory=lambda: np.zeros(0))
    high: Numbers = field(default_factory=lambda: np.zeros(0))
    total: Numbers = field(default_factory=lambda: np.zeros(0))
    squares: Numbers = field(default_factory=lambda: np.zeros(0))
    zeros: Numbers = field(default_factory=lambda: np.zeros(0))
    missing: Numbers = field(default_factory=lambda: np.zeros(0))
    labels: Counter[float] | None = field(default_factory=Counter)
    label_low: float = np.inf
    label_high: float = -np.inf

    @property
    def width(self) -> int:
        return len(self.low)

    @property
    def mean(self) -> Numbers:
        """Mean of each feature over its present values."""
        return np.asarray(self.total / np.maximum(self._present, 1))

    @property
    def deviation(self) -> Numbers:
        """Standard deviation of each feature over its present values."""
        spread = self.squares / np.maximum(self._present, 1) - self.mean**2
        return np.asarray(np.sqrt(np.maximum(spread, 0)))

    @property
    def constant(self) -> npt.NDArray[np.intp]:
        """Columns (from 0) that never change."""
        return np.flatnonzero(self.low == self.high)

    @property
    def _present(self) -> Numbers:
        return np.asarray(self.rows - self.missing)

    def add(self, batch: Batch) -> None:
        """Count the rows of a batch; sparse rows may widen what was seen."""
        dense = batch.dense().astype(np.float64)
        self._widen(dense.shape[1])
        dense = np.pad(dense, ((0, 0), (0, self.width - dense.shape[1])))
        absent = np.isnan(dense)
        self.rows += batch.rows
        self.sparse |= batch.is_sparse
        self.low = np.fmin(self.low, np.where(absent, np.inf, dense).min(axis=0))
        self.high = np.fmax(self.high, np.where(absent, -np.inf, dense).max(axis=0))
        present = np.where(absent, 0, dense)
        self.total += present.sum(axis=0)
        self.squares += (present**2).sum(axis=0)
        self.zeros += (dense == 0).sum(axis=0)
        self.missing += absent.sum(axis=0)
        if batch.label is not None:
            self._count(np.atleast_1d(batch.label))

    def _count(self, label: npt.NDArray[np.float32]) -> None:
        self.label_low = min(self.label_low, float(label.min()))
        self.label_high = max(self.label_high, float(label.max()))
        if self.labels is not None:
            values, counts = np.unique(label, return_counts=True)
            self.labels.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
            if len(self.labels) > _MOST_CLASSES:
                self.labels = None

    def _widen(self, width: int) -> None:
        """Columns not seen so far were 0 in every row."""
        more = width - self.width
        if more <= 0:
            return
        past = 0.0 if self.rows else np.inf
        self.low = np.append(self.low, np.full(more, past))
        self.high = np.append(self.high, np.full(more, -past))
        self.zeros = np.append(self.zeros, np.full(more, float(self.rows)))
        for name in ("total", "squares", "missing"):
            setattr(self, name, np.append(getattr(self, name), np.zeros(more)))


def survey(channel: Channel) -> Survey:
    """Read a channel once and count.

    Raises:
        CallerError: the data cannot be read.
    """
    seen = Survey()
    for batch in channel.batches(_BATCH_ROWS):
        seen.add(batch)
    return seen
