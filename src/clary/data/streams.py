"""Streams as decoders and pipes need them."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast

from clary.data.contents import HEAD_BYTES
from clary.errors import CallerError
from clary.storage.location import Location

BUFFER_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"


class PeekedStream(io.RawIOBase):
    """A stream that cannot go back, whose first bytes were looked at; counts what was read."""

    def __init__(self, source: io.FileIO, ended: Callable[[], None]) -> None:
        """`ended` is called at the end of the bytes; it may raise if they are not all."""
        self._source = source
        self._ended = ended
        self.bytes_read = 0
        self.head = _first_bytes(source)
        if len(self.head) < HEAD_BYTES:
            ended()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.head[self.bytes_read : self.bytes_read + len(buffer)]
        if data:
            buffer[: len(data)] = data
            count = len(data)
        else:
            count = self._source.readinto(buffer) or 0
            if not count:
                self._ended()
        self.bytes_read += count
        return count

    def close(self) -> None:
        self._source.close()
        super().close()


def is_empty(head: bytes) -> bool:
    """Whether there are no bytes, or gzip of none."""
    if not head.startswith(_GZIP):
        return not head
    with suppress(zlib.error):
        return not zlib.decompressobj(wbits=31).decompress(head, 1)
    return False


def _first_bytes(source: io.FileIO) -> bytes:
    """A pipe gives what it has; ask until there is enough or no more."""
    head = b""
    while len(head) < HEAD_BYTES:
        more = source.read(HEAD_BYTES - len(head))
        if not more:
            break
        head += more
    return head


@contextmanager
def plain(location: Location, *, must_be_gzip: bool = False) -> Iterator[BinaryIO]:
    """An object's bytes, decompressed where they are gzip.

    Raises:
        CallerError: the object cannot be read, is damaged, or is not gzip and must be.
    """
    with location.open() as opened:
        stream = io.BufferedReader(cast(io.RawIOBase, opened), BUFFER_BYTES)
        compressed = stream.peek(len(_GZIP)).startswith(_GZIP)
        if must_be_gzip and not compressed and stream.peek(1):
            raise CallerError.of(location.uri, "CompressionType is Gzip and the object is not")
        try:
            yield cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if compressed else stream
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise CallerError.of(location.uri, f"the gzip data is damaged: {error}") from error
