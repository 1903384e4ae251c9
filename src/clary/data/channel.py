"""A channel: rows in batches of a fixed size, epoch after epoch, wherever they come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from clary.codecs.batch import Batch, concatenate


class Channel(ABC):
    """One input of a training.

    Subclasses say how the decoded blocks of an epoch arrive; this class cuts them into batches,
    keeps what was looked at in advance, and counts. `sharded` says whether each of several hosts
    reads rows of its own; otherwise all read the same.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.sharded = True
        self.rows_read = 0
        self._ahead: list[Batch] = []
        self._opened: Iterator[Batch] | None = None

    @abstractmethod
    def blocks(self, epoch: int) -> Iterator[Batch]:
        """The decoded blocks of an epoch, in order, of any sizes above 0.

        Raises:
            CallerError: the data cannot be read; file, line and column are named.
        """

    def batches(self, rows: int, epoch: int = 0) -> Iterator[Batch]:
        """An epoch in batches of `rows` rows; only the last may be shorter.

        The cuts fall at the same rows whatever the files, the input mode or the block sizes.
        Epochs are asked for in rising order, each once.
        """
        for batch in _recut(self._epoch(epoch), rows):
            self.rows_read += batch.rows
            yield batch

    def numbered(self, rows: int, epoch: int = 0) -> Iterator[tuple[Batch, int]]:
        """As `batches`, each with the number of rows before it."""
        before = 0
        for batch in self.batches(rows, epoch):
            yield batch, before
            before += batch.rows

    def read(self) -> Batch:
        """All rows of the first epoch as one batch; of width 0 if there are none."""
        everything = _joined(list(self._epoch(0)))
        self.rows_read += everything.rows
        return everything

    def sample(self, rows: int) -> Batch:
        """The first rows of epoch 0 (fewer if there are fewer), which `batches` still gives.

        A pipe can be read only once, so what was looked at is kept. Of several hosts, one may have
        no rows; then the width is 0, too.
        """
        if self._opened is None:
            self._opened = self.blocks(0)
        while sum(block.rows for block in self._ahead) < rows:
            block = next(self._opened, None)
            if block is None:
                break
            self._ahead.append(block)
        found = _joined(self._ahead)
        return found.slice(0, min(rows, found.rows))

    @property
    def width(self) -> int:
        """Number of features of the first rows (for sparse formats: of the first block)."""
        return self.sample(1).width

    def _epoch(self, epoch: int) -> Iterator[Batch]:
        if epoch == 0 and self._opened is not None:
            ahead, opened = self._ahead, self._opened
            self._ahead, self._opened = [], None
            yield from ahead
            yield from opened
        else:
            yield from self.blocks(epoch)


class MemoryChannel(Channel):
    """Rows that are in memory already, as in the Python estimators."""

    def __init__(self, name: str, batch: Batch) -> None:
        super().__init__(name)
        self._batch = batch

    def blocks(self, epoch: int) -> Iterator[Batch]:
        yield self._batch


def _joined(blocks: list[Batch]) -> Batch:
    return concatenate(blocks) if blocks else Batch(np.zeros((0, 0), np.float32))


def _recut(blocks: Iterator[Batch], rows: int) -> Iterator[Batch]:
    """Batches of exactly `rows` rows and a last shorter one; slices where a block holds all."""
    held: list[Batch] = []
    count = 0
    for block in blocks:
        start = 0
        while block.rows - start >= rows - count:
            end = start + rows - count
            piece = block.slice(start, end)
            yield concatenate([*held, piece]) if held else piece
            held, count, start = [], 0, end
        if start < block.rows:
            held.append(block.slice(start, block.rows))
            count += block.rows - start
    if held:
        yield concatenate(held)
