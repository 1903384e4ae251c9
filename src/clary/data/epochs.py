"""What goes through a channel's pipes: its objects one after the other, as one stream."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import BinaryIO

from clary.codecs import formats
from clary.codecs.content_type import JSON, JSONLINES, PARQUET, ContentType, parse_content_type
from clary.codecs.record_frames import LONGEST, framed
from clary.data.contents import HEAD_BYTES
from clary.data.shards import host_items
from clary.data.sources import Item, Source, is_data
from clary.data.streams import BUFFER_BYTES, plain
from clary.errors import CallerError
from clary.storage.location import Location

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def cannot_stream(channel: str) -> CallerError:
    """The refusal of Parquet in a pipe."""
    return CallerError.of(
        f"channel {channel}",
        "Parquet cannot be read from a pipe: its index is at the end of each file",
        remedy="Use the input mode File or FastFile.",
    )


def epochs(
    source: Source, items: Sequence[Item], rank: int, hosts: int
) -> Callable[[int], Generator[bytes, None, None]]:
    """For each epoch, the bytes of one host's pipe.

    Objects are decompressed; the last line of a text gets its end, so that rows do not run
    together; with RecordWrapperType RecordIO each part of an item is one record.

    Raises:
        CallerError: the objects are of a format that cannot be streamed.
    """
    augmented = source.data_type == "AugmentedManifestFile"
    wrapped = source.record_wrapper == "RecordIO"
    data = items if augmented else [item for item in items if is_data(item.name)]
    in_lines = not (augmented or wrapped) and _in_lines(source, data)
    must_be_gzip = source.compression == "Gzip"

    def chunks(epoch: int) -> Generator[bytes, None, None]:
        for item in host_items(source, data, rank, hosts, epoch):
            for part in item.parts:
                with _opened(part, must_be_gzip) as stream:
                    pieces = iter(partial(stream.read, BUFFER_BYTES), b"")
                    if wrapped:
                        yield _record(pieces, item.name)
                    elif in_lines:
                        yield from _whole_lines(pieces)
                    else:
                        yield from pieces

    return chunks


def _in_lines(source: Source, items: Sequence[Item]) -> bool:
    """Whether objects are text, whose last lines may lack their ends.

    Raises:
        CallerError: they cannot be one stream.
    """
    content_type = _content_type(source, items)
    if content_type.name == PARQUET:
        raise cannot_stream(source.channel)
    charset = content_type.parameters.get("charset") or content_type.parameters.get("encoding")
    if charset and not _is_like_ascii(charset):
        raise CallerError.of(
            f"channel {source.channel}",
            "texts in a pipe must be in UTF-8 or another charset that contains ASCII",
            charset,
            "Use the input mode File or FastFile.",
        )
    return content_type.name.startswith("text/") or content_type.name in {JSON, JSONLINES}


def _is_like_ascii(charset: str) -> bool:
    try:
        return "0,\n".encode(charset) == b"0,\n"
    except LookupError:
        return False


def _content_type(source: Source, items: Sequence[Item]) -> ContentType:
    if source.content_type:
        return parse_content_type(source.content_type)
    for item in items:
        with _opened(item.parts[0], must_be_gzip=False) as stream:
            head = stream.read(HEAD_BYTES)
        if head:
            # What cannot be told goes through as it is; the reader says what it misses.
            with suppress(CallerError):
                return formats.sniff(head, item.name)
            break
    return ContentType("")


@contextmanager
def _opened(part: Location | bytes, must_be_gzip: bool) -> Iterator[BinaryIO]:
    if isinstance(part, bytes):
        yield io.BytesIO(part)
    else:
        with plain(part, must_be_gzip=must_be_gzip) as stream:
            yield stream


def _whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The text of one file as part of a longer one: no byte order mark, and a last line's end."""
    last = b""
    for piece in pieces:
        text = piece if last else piece.removeprefix(_BYTE_ORDER_MARK)
        last = text[-1:] or last
        yield text
    if last not in {b"", b"\n", b"\r"}:
        yield b"\n"


def _record(pieces: Iterator[bytes], name: str) -> bytes:
    """One RecordIO record around all the pieces."""
    data = b"".join(pieces)
    if len(data) > LONGEST:
        raise CallerError.of(name, f"a record can hold {LONGEST:,} bytes", len(data))
    return framed(data)
