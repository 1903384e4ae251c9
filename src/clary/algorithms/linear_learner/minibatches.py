"""Mini-batches: rows scaled and with a column for the bias, in random order, dense or sparse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from clary.algorithms.linear_learner.labels import Labelling
from clary.algorithms.linear_learner.scaling import Scaling
from clary.codecs.batch import Batch, Features
from clary.data.channel import Channel
from clary.kit.finite import check_finite
from clary.kit.labels import checked_weights
from clary.kit.parallel import ordered_map
from clary.kit.width import features_of

Floats: TypeAlias = npt.NDArray[np.float32]
Integers: TypeAlias = npt.NDArray[np.intp]

_WINDOW_BYTES = 32 * 2**20
# What is worth handing to another thread
_TASK_BYTES = 2**20


@dataclass(frozen=True)
class MiniBatch:
    """Scaled rows.

    features: (rows, width + 1) dense, the last column ones, or CSR over the `touched` columns only.
    label: (rows,), or (rows, outputs) for several labels; weights: (rows,) or None, meaning 1.
    touched: the columns that occur, ascending, for sparse rows; None means all.
    """

    features: Features
    label: Floats
    weights: Floats | None
    touched: Integers | None = None

    @property
    def rows(self) -> int:
        return int(self.features.shape[0])

    @property
    def weight(self) -> float:
        """Sum of the rows' weights."""
        return self.rows if self.weights is None else float(self.weights.sum(dtype=np.float64))


@dataclass(frozen=True)
class Window:
    """As many scaled rows as are in memory at once.

    features: (rows, width + 1) dense or CSR; label and weights as in a mini-batch.
    """

    features: Features
    label: Floats
    weights: Floats | None
    row_bytes: int

    @property
    def weight(self) -> float:
        """Sum of the rows' weights."""
        if self.weights is None:
            return float(len(self.label))
        return float(self.weights.sum(dtype=np.float64))

    def minibatches(self, rows: int, seed: tuple[int, ...] | None = None) -> list[MiniBatch]:
        """All rows, in an order drawn with the seed or, without one, as they are."""
        count = len(self.label)
        order = None if seed is None else np.random.default_rng(seed).permutation(count)
        some = max(1, _TASK_BYTES // (self.row_bytes * rows)) * rows
        tasks = (range(at, min(at + some, count), rows) for at in range(0, count, some))
        return list(chain.from_iterable(ordered_map(partial(self._cut, rows, order), tasks)))

    def _cut(self, rows: int, order: Integers | None, starts: range) -> list[MiniBatch]:
        """The mini-batches that start at some places."""
        cuts = [slice(start, start + rows) for start in starts]
        return [self._chosen(cut if order is None else order[cut]) for cut in cuts]

    def _chosen(self, chosen: slice | Integers) -> MiniBatch:
        weights = None if self.weights is None else self.weights[chosen]
        label = self.label[chosen]
        if isinstance(self.features, np.ndarray):
            if isinstance(chosen, slice):
                return MiniBatch(self.features[chosen], label, weights)
            return MiniBatch(self.features.take(chosen, axis=0), label, weights)
        features = self.features[chosen]
        present = np.zeros(features.shape[1], dtype=bool)
        present[features.indices] = True
        touched = np.flatnonzero(present)
        place = np.cumsum(present, dtype=np.int32) - 1
        narrow = (features.data, place[features.indices], features.indptr)
        shape = (features.shape[0], len(touched))
        return MiniBatch(csr_array(narrow, shape=shape), label, weights, touched)


@dataclass(frozen=True)
class Preparation:
    """How rows become mini-batches; the same for training and for scoring.

    row_bytes: what a row takes in memory with the scores of all models, from a sample.
    sparse: rows stay sparse.
    """

    scaling: Scaling
    labelling: Labelling
    bias: bool
    sparse: bool
    row_bytes: int

    def window(self, batch: Batch, channel: str, first: int) -> Window:
        """Rows as training sees them; `first` is the number of rows before them in the channel.

        Raises:
            CallerError: a row does not fit, or a label is not what the predictor takes.
        """
        rows = features_of(batch, self.scaling.width, channel)
        check_finite(rows, channel, first)
        label = self.labelling.checked(batch, channel, first)
        weights = self.labelling.weights(label)
        own = checked_weights(batch, channel, first)
        if own is not None:
            weights = own if weights is None else weights * own
        features = self._sparse(csr_array(rows)) if self.sparse else self._dense(rows)
        return Window(features, self.scaling.label(label), weights, self.row_bytes)

    def _dense(self, rows: Features) -> Floats:
        width = self.scaling.width
        out = np.ones((rows.shape[0], width + self.bias), dtype=np.float32)
        inverse, some = self.scaling.inverse, max(1, _TASK_BYTES // self.row_bytes)

        def scale(start: int) -> None:
            part, inner = rows[start : start + some], out[start : start + some, :width]
            part = part if isinstance(part, np.ndarray) else part.toarray()
            np.subtract(part, self.scaling.mean, out=inner)
            inner *= inverse

        for _ in ordered_map(scale, range(0, len(out), some)):
            pass
        return out

    def _sparse(self, rows: csr_array) -> csr_array:
        values, columns, ends = (
            rows.data * self.scaling.inverse[rows.indices],
            rows.indices,
            rows.indptr,
        )
        if self.bias:
            values = np.insert(values, ends[1:], np.float32(1))
            columns = np.insert(columns, ends[1:], self.scaling.width)
            ends = ends + np.arange(len(ends), dtype=ends.dtype)
        return csr_array((values, columns, ends), shape=(rows.shape[0], rows.shape[1] + self.bias))


class Passes:
    """A channel's rows, window by window, as often as wanted.

    Windows hold whole mini-batches. A channel that fits one window is read once and kept. `rows`
    counts what was handed out.
    """

    def __init__(self, channel: Channel, preparation: Preparation, batch_rows: int) -> None:
        batches = max(1, _WINDOW_BYTES // (preparation.row_bytes * batch_rows))
        self._channel = channel
        self._preparation = preparation
        self._window_rows = batch_rows * batches
        self._only: Window | None = None
        self.rows = 0

    def windows(self, epoch: int) -> Iterator[Window]:
        """The rows of an epoch; epochs are asked for in rising order.

        Raises:
            CallerError: a row does not fit, or a label is not what the predictor takes.
        """
        only = None
        for number, window in enumerate(self._read(epoch) if self._only is None else [self._only]):
            only = window if number == 0 else None
            self.rows += len(window.label)
            yield window
        self._only = only

    def _read(self, epoch: int) -> Iterator[Window]:
        for batch, before in self._channel.numbered(self._window_rows, epoch):
            yield self._preparation.window(batch, self._channel.name, before)
