"""Rows on their way to a step: windows in memory, mini-batches in random order, their features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from queue import SimpleQueue
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from clary.algorithms.factorization_machines.entries import entries_of
from clary.algorithms.factorization_machines.kernels import group_by_feature
from clary.data.channel import Channel
from clary.kit.labels import checked_labels, checked_weights
from clary.kit.parallel import ordered_map

Floats: TypeAlias = npt.NDArray[np.float32]
Integers: TypeAlias = npt.NDArray[np.int32]

_WINDOW_BYTES = 2**23
_TASK_ROWS = 2048
# An entry's column and value, and its row and value again below its feature
_ENTRY_BYTES, _ROW_BYTES = 16, 16


@dataclass(frozen=True)
class Window:
    """As many rows as are in memory at once. features: CSR without zeros; weights: None means 1."""

    features: csr_array
    label: Floats
    weights: Floats | None


@dataclass(frozen=True)
class MiniBatch:
    """Some rows of a window, in both orders.

    chosen: (rows,) of the window. label: (rows,); weights: (rows,) or None, meaning 1.
    touched: (features,), the columns that occur; ends, places, entries: their entries, as
    `kernels.group_by_feature` fills them.
    """

    window: Window
    chosen: npt.NDArray[np.intp]
    label: Floats
    weights: Floats | None
    touched: Integers
    ends: Integers
    places: Integers
    entries: Floats

    @property
    def rows(self) -> int:
        return len(self.chosen)


# Rows of a window that make a mini-batch
Cut: TypeAlias = tuple[Window, npt.NDArray[np.intp]]


class Passes:
    """The mini-batches of a channel, epoch after epoch.

    A channel that fits one window is read once and kept. seed: of the order of rows.
    """

    def __init__(
        self, channel: Channel, predictor_type: str, width: int, batch_rows: int, seed: int
    ) -> None:
        self._channel = channel
        self._predictor_type = predictor_type
        self._width = width
        self._rows = batch_rows
        self._seed = seed
        self._window_rows = batch_rows * self._batches_in_window()
        self._only: Window | None = None
        self._scratch: SimpleQueue[Integers] = SimpleQueue()

    def minibatches(self, epoch: int) -> Iterator[MiniBatch]:
        """The rows of an epoch; epochs are asked for in rising order.

        Raises:
            CallerError: a row or a label cannot be used.
        """
        return chain.from_iterable(ordered_map(self._all_grouped, self._tasks(epoch)))

    def _batches_in_window(self) -> int:
        first = self._channel.sample(self._rows)
        entries = (
            np.count_nonzero(first.features)
            if isinstance(first.features, np.ndarray)
            else first.features.nnz
        )
        bytes_a_row = _ROW_BYTES + _ENTRY_BYTES * entries / max(1, first.rows)
        return max(1, int(_WINDOW_BYTES / (bytes_a_row * self._rows)))

    def _tasks(self, epoch: int) -> Iterator[list[Cut]]:
        """Mini-batches in lists that are worth handing to another thread."""
        cuts = self._cuts(epoch)
        while some := list(islice(cuts, max(1, _TASK_ROWS // self._rows))):
            yield some

    def _cuts(self, epoch: int) -> Iterator[Cut]:
        for number, window in enumerate(self._windows(epoch)):
            order = np.random.default_rng((self._seed, epoch, number)).permutation(
                len(window.label)
            )
            for start in range(0, len(order), self._rows):
                yield window, order[start : start + self._rows]

    def _windows(self, epoch: int) -> Iterator[Window]:
        only = None
        for number, window in enumerate(self._read(epoch) if self._only is None else [self._only]):
            only = window if number == 0 else None
            yield window
        self._only = only

    def _read(self, epoch: int) -> Iterator[Window]:
        name = self._channel.name
        for batch, before in self._channel.numbered(self._window_rows, epoch):
            features = entries_of(batch, self._width, name, before)
            label = checked_labels(batch, self._predictor_type, name, before)
            yield Window(features, label, checked_weights(batch, name, before))

    def _all_grouped(self, cuts: list[Cut]) -> list[MiniBatch]:
        return [self._grouped(cut) for cut in cuts]

    def _grouped(self, cut: Cut) -> MiniBatch:
        window, chosen = cut
        x = window.features
        count = int((x.indptr[chosen + 1] - x.indptr[chosen]).sum())
        touched, ends = np.empty(count, np.int32), np.empty(count + 1, np.int32)
        places, entries = np.empty(count, np.int32), np.empty(count, np.float32)
        scratch = self._scratch_array()
        found = group_by_feature(
            x.indices, x.data, x.indptr, chosen, scratch, touched, ends, places, entries
        )
        self._scratch.put(scratch)
        weights = None if window.weights is None else window.weights[chosen]
        return MiniBatch(
            window,
            chosen,
            window.label[chosen],
            weights,
            touched[:found],
            ends[: found + 1],
            places,
            entries,
        )

    def _scratch_array(self) -> Integers:
        """Of (width,): one for each thread that groups at the same time."""
        if self._scratch.empty():
            return np.zeros(self._width, np.int32)
        return self._scratch.get()
