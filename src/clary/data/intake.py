"""Channels that decode bytes as they come, and what they tell of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter

from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.data.contents import Decoder
from clary.errors import CallerError

_NAMED = 3


@dataclass(frozen=True)
class Intake:
    """What a channel read: for the log and the report.

    content_type: with its parameters; `sniffed` says that the bytes decided it.
    files, bytes, rows: of one epoch, as far as it was read; a pipe does not tell its files.
    seconds: spent on reading and decoding, in all epochs together.
    left_out: names of files that hold no data.
    """

    content_type: str
    sniffed: bool
    files: int | None
    bytes: int
    rows: int
    seconds: float
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        plural = "" if self.files == 1 else "s"
        files = f"{self.files:,} file{plural}, {self.bytes:,} bytes" if self.files else "a pipe"
        how = "by its first bytes" if self.sniffed else "as declared"
        return f"{files}, {self.content_type} ({how}){self._without()}"

    def _without(self) -> str:
        if not self.left_out:
            return ""
        named = ", ".join(self.left_out[:_NAMED])
        more = len(self.left_out) - _NAMED
        return f"; left out: {named}" + (f" and {more:,} more" if more > 0 else "")


class DecodedChannel(Channel):
    """A channel of bytes; subclasses bring them and this class keeps account."""

    decoder: Decoder

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._rows = 0
        self._seconds = 0.0

    @abstractmethod
    def decoded(self, epoch: int) -> Generator[Batch, None, None]:
        """The blocks of an epoch; there may be none."""

    @abstractmethod
    def amount(self) -> tuple[int | None, int, tuple[str, ...]]:
        """Files, bytes, and names left out."""

    def blocks(self, epoch: int) -> Iterator[Batch]:
        rows = 0
        with closing(self.decoded(epoch)) as blocks:
            while (block := self._timed(blocks)) is not None:
                rows += block.rows
                self._rows = max(self._rows, rows)
                yield block
        if not rows:
            raise CallerError.of(f"channel {self.name}", "there are no rows in the data")

    @property
    def intake(self) -> Intake:
        """What was read so far."""
        files, size, left_out = self.amount()
        return Intake(
            content_type=str(self.decoder.content_type),
            sniffed=self.decoder.sniffed,
            files=files,
            bytes=size,
            rows=self._rows,
            seconds=self._seconds,
            left_out=left_out,
        )

    def _timed(self, blocks: Iterator[Batch]) -> Batch | None:
        start = perf_counter()
        try:
            return next(blocks, None)
        finally:
            self._seconds += perf_counter() - start
