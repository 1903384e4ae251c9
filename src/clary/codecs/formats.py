"""The formats of data, and the one way in and out of all of them."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from importlib import import_module
from itertools import chain
from operator import attrgetter
from typing import Any, BinaryIO, Protocol, cast

from clary.codecs.batch import Batch
from clary.codecs.content_type import (
    CSV,
    JSON,
    JSONLINES,
    LIBSVM,
    PARQUET,
    RECORDIO,
    ContentType,
)
from clary.codecs.first_bytes import GZIP, contradiction, sniff
from clary.codecs.reading import Reading
from clary.errors import CallerError, UnsupportedContentType

__all__ = ["FORMATS", "contradiction", "decode", "encode", "sniff"]

FORMATS: Mapping[str, str] = {
    CSV: "clary.codecs.csv",
    RECORDIO: "clary.codecs.recordio",
    LIBSVM: "clary.codecs.libsvm",
    PARQUET: "clary.codecs.parquet",
    JSON: "clary.codecs.json",
    JSONLINES: "clary.codecs.jsonlines",
}
"""The module of each content type; it is loaded when the first data of that type come."""

_CHUNK_BYTES = 1 << 20
_DAMAGED_GZIP = (gzip.BadGzipFile, EOFError, zlib.error)


class Format(Protocol):
    """What the modules have in common."""

    def decode(self, stream: BinaryIO, name: str, reading: Reading) -> Iterator[Batch]: ...

    def encode(self, batches: Iterable[Batch], out: BinaryIO) -> None: ...


def decode(
    stream: BinaryIO, name: str, content_type: ContentType, reading: Reading
) -> Iterator[Batch]:
    """The rows of a stream in blocks, none of them empty; an empty stream has none.

    Gzip is undone. Of the content type's parameters only `charset` or `encoding` is looked at;
    label columns are as `reading` says.

    Args:
        stream: need not be seekable.
        name: what messages call the stream.

    Raises:
        CallerError: names `name` and the place: line and column, row, record or offset.
        UnsupportedContentType: there is no such format.
    """
    module = _module(content_type)
    opened = _opened(stream)
    text = _recoded(opened, content_type)
    try:
        yield from module.decode(text, name, reading)
    except _DAMAGED_GZIP as error:
        place = f"{name}, byte {opened.tell()} after decompression"
        raise CallerError.of(place, f"the gzip data are damaged: {error}") from error
    except UnicodeError as error:
        rule = f"must be text in {content_type.charset}, as {content_type.written!r} says"
        raise CallerError.of(name, rule, str(error)) from error


def encode(batches: Iterable[Batch], out: BinaryIO, content_type: ContentType) -> None:
    """Write batches as one document or file.

    Raises:
        CallerError: the format has no place for something that the rows have.
        UnsupportedContentType: there is no such format.
    """
    some: Iterator[Batch] = filter(attrgetter("rows"), batches)
    if content_type.name in {RECORDIO, LIBSVM}:
        some = _numbers(some, content_type)
    _module(content_type).encode(some, out)


def _numbers(batches: Iterable[Batch], content_type: ContentType) -> Iterator[Batch]:
    for batch in batches:
        if batch.has_columns:
            raise CallerError.of(content_type.name, "has a place for numbers only", "texts")
        yield batch


def _module(content_type: ContentType) -> Format:
    if content_type.name not in FORMATS:
        known = ", ".join(FORMATS)
        raise UnsupportedContentType.of("content type", f"must be one of {known}", content_type)
    return cast(Format, import_module(FORMATS[content_type.name]))


def _opened(stream: BinaryIO) -> BinaryIO:
    """The stream from where it is, decompressed if it is gzip."""
    start = stream.tell() if stream.seekable() else None
    head = stream.read(len(GZIP))
    if start is not None:
        stream.seek(start)
    else:
        rejoined = _Onward(chain([head], _pieces(stream)))
        stream = cast(BinaryIO, io.BufferedReader(rejoined, _CHUNK_BYTES))
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if head == GZIP else stream


def _recoded(stream: BinaryIO, content_type: ContentType) -> BinaryIO:
    """The stream in UTF-8, where the content type says that it is in something else."""
    charset = content_type.charset
    if not charset:
        return stream
    try:
        if ",0\n".encode(charset) == b",0\n":
            return stream
    except (LookupError, ValueError):
        raise CallerError.of(
            f"content type {content_type.written!r}", "must name a known charset", charset
        ) from None
    return cast(BinaryIO, io.BufferedReader(_Onward(_in_utf8(stream, charset)), _CHUNK_BYTES))


def _in_utf8(stream: BinaryIO, charset: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(charset)()
    for piece in _pieces(stream):
        yield decoder.decode(piece).encode()
    yield decoder.decode(b"", final=True).encode()


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    return iter(partial(stream.read, _CHUNK_BYTES), b"")


class _Onward(io.RawIOBase):
    """Pieces of bytes as a stream that cannot go back."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = filter(None, pieces)
        self._held = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._held = self._held or next(self._pieces, b"")
        data = self._held[: len(buffer)]
        self._held = self._held[len(data) :]
        buffer[: len(data)] = data
        return len(data)
