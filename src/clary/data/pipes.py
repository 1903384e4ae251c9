"""Pipe: a channel that reads named pipes, one for each epoch."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import BinaryIO

from clary.codecs.batch import Batch
from clary.codecs.content_type import PARQUET, RECORDIO, parse_content_type
from clary.codecs.record_frames import HEADER_BYTES, LONGEST, MAGIC, Window
from clary.data.contents import Contents, Decoder
from clary.data.epochs import cannot_stream
from clary.data.feeder import pipe_path, raise_failure
from clary.data.intake import DecodedChannel
from clary.data.sources import RecordWrapper
from clary.data.streams import BUFFER_BYTES, PeekedStream
from clary.errors import CallerError

_LOOK_AGAIN_SECONDS = 0.02


class PipeChannel(DecodedChannel):
    """The rows of `<channel>_0`, `<channel>_1`, …; each pipe can be read once, if only in part."""

    def __init__(
        self,
        name: str,
        folder: Path,
        contents: Contents,
        record_wrapper: RecordWrapper = "None",
        timeout_seconds: float = 60.0,
    ) -> None:
        """Opens the pipe of epoch 0.

        `record_wrapper` RecordIO says that each object comes as one record. `timeout_seconds` is
        how long a pipe and its writer may take to appear.

        Raises:
            CallerError: no pipe, no data, not of the declared type, or Parquet, whose index is at
                the end.
        """
        super().__init__(name)
        self._folder = folder
        self._timeout_seconds = timeout_seconds
        self._bytes = 0
        self._current = 0
        self._begun = False
        self._peeked = self._open()
        self._stream = io.BufferedReader(self._peeked, BUFFER_BYTES)
        self._wrapped, head = self._beginning(contents, record_wrapper)
        self.decoder = Decoder(name, contents, head, self._label)
        self._check_streamable()

    def amount(self) -> tuple[int | None, int, tuple[str, ...]]:
        return None, self._bytes, ()

    def decoded(self, epoch: int) -> Generator[Batch, None, None]:
        self._go_to(epoch)
        self._begun = True
        stream, peeked = self._stream, self._peeked
        try:
            if self._wrapped:
                for number, data in enumerate(_messages(stream, self._label), 1):
                    yield from self.decoder.blocks(
                        io.BytesIO(data), f"{self._label}, object {number}"
                    )
            else:
                yield from self.decoder.blocks(stream, self._label)
        finally:
            self._bytes = max(self._bytes, peeked.bytes_read)
            stream.close()

    def close(self) -> None:
        """Let the writer go."""
        self._stream.close()

    def _beginning(self, contents: Contents, record_wrapper: RecordWrapper) -> tuple[bool, bytes]:
        """Whether objects are wrapped in records, and the first bytes of the first object."""
        head = self._peeked.head
        if not head:
            raise CallerError.of(
                f"channel {self.name}",
                "no bytes came through its pipe",
                remedy="With ShardedByS3Key, have as many objects as hosts at least.",
            )
        wrapped = record_wrapper == "RecordIO" and not _is_bare(head, contents)
        return wrapped, _first_message(head) if wrapped else head

    def _check_streamable(self) -> None:
        if self.decoder.content_type.name == PARQUET:
            raise cannot_stream(self.name)
        if self.decoder.lacks_width:
            raise CallerError.of(
                f"channel {self.name}",
                "libsvm does not say how many features there are, and a pipe is read once",
                remedy="Give feature_dim, or use the input mode File or FastFile.",
            )

    @property
    def _label(self) -> str:
        return pipe_path(self._folder, self.name, self._current).name

    def _go_to(self, epoch: int) -> None:
        """Each epoch has its pipe, so those in between are opened and closed."""
        if epoch < self._current or (epoch == self._current and self._begun):
            raise RuntimeError(
                f"channel {self.name}: epoch {epoch} of a pipe can be read only once"
            )
        while self._current < epoch:
            self._stream.close()
            self._current += 1
            self._peeked = self._open()
            self._stream = io.BufferedReader(self._peeked, BUFFER_BYTES)

    def _open(self) -> PeekedStream:
        path = pipe_path(self._folder, self.name, self._current)
        deadline = time.monotonic() + self._timeout_seconds
        while not path.exists():
            self._check_writer()
            if time.monotonic() > deadline:
                raise CallerError.of(
                    f"channel {self.name}",
                    f"the pipe {path} did not appear in {self._timeout_seconds:g} seconds",
                )
            time.sleep(_LOOK_AGAIN_SECONDS)
        source = _opened(path, deadline)
        if source is None:
            raise CallerError.of(
                f"channel {self.name}",
                f"nobody wrote to the pipe {path} in {self._timeout_seconds:g} seconds",
            )
        return PeekedStream(source, self._check_writer)

    def _check_writer(self) -> None:
        raise_failure(self._folder, self.name)


def _is_bare(head: bytes, contents: Contents) -> bool:
    """Whether the objects are single messages, which only the wrapping makes RecordIO."""
    declared = contents.content_type and parse_content_type(contents.content_type).name
    return declared == RECORDIO and not _first_message(head).startswith(MAGIC.to_bytes(4, "little"))


def _first_message(head: bytes) -> bytes:
    """The beginning of what the first record holds."""
    length = int.from_bytes(head[4:HEADER_BYTES], "little") & LONGEST
    return head[HEADER_BYTES : HEADER_BYTES + length]


def _messages(stream: BinaryIO, name: str) -> Iterator[bytes]:
    window = Window(stream, name)
    while window.fill():
        while (frames := window.frames(1)) is not None:
            for start, stop in zip(frames.starts, frames.stops, strict=True):
                yield frames.data[start:stop].tobytes()
            window.advance(len(frames.heads), frames.next_start)
    window.check_end()


def _opened(path: Path, deadline: float) -> io.FileIO | None:
    """The pipe, or None if nobody opens it for writing in time: until then, open blocks."""
    opened: list[io.FileIO] = []
    opener = Thread(target=lambda: opened.append(io.FileIO(path)), daemon=True)
    opener.start()
    opener.join(max(deadline - time.monotonic(), 0))
    if not opener.is_alive():
        return opened[0]
    # A writer of our own lets the opener go.
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    opener.join()
    opened[0].close()
    return None
