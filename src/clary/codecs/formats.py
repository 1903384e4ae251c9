"""The formats of data, and the one way in and out of all of them."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
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
        place = f"{name}, byte {opened.tell():,} after decompression"
        raise CallerError.of(place, f"the gzip data are damaged: {error}") from error
    except UnicodeDecodeError as error:
        rule = f"is not text in {error.encoding}, as {content_type.written!r} says"
        raise CallerError.of(name, rule) from error


def encode(batches: Iterable[Batch], out: BinaryIO, content_type: ContentType) -> None:
    """Write batches as one document or file.

    Raises:
        CallerError: the format has no place for something that the rows have.
        UnsupportedContentType: there is no such format.
    """
    _module(content_type).encode(batches, out)


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
        stream = cast(BinaryIO, io.BufferedReader(_Rejoined(head, stream), 1 << 20))
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
    return cast(BinaryIO, codecs.EncodedFile(stream, "utf-8", charset))


class _Rejoined(io.RawIOBase):
    """A stream that cannot go back, with the bytes taken from it in front again."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)
