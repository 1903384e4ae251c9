"""An object of a batch transform as records, and these as the bodies of requests; both streams."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from clary.codecs.content_type import RECORDIO, parse_content_type
from clary.codecs.record_frames import HEADER_BYTES, LONGEST, MAGIC
from clary.errors import CallerError
from clary.jobs.transforming.request import Limits, Transform

_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
# Of a TFRecord: length (8 bytes), its CRC (4), data, their CRC (4)
_TF_HEAD, _TF_TAIL = 12, 4


def packs(
    stream: BinaryIO, name: str, transform: Transform, limits: Limits
) -> Iterator[list[bytes]]:
    """An object's records, those of one request at a time.

    Lines that need not be looked at one by one stay together.

    Raises:
        CallerError: the object is damaged, or a record is longer than a request may be.
    """
    most = limits.payload_bytes
    if transform.split_type == "None":
        yield [whole(stream, name, most)]
    elif transform.split_type == "Line":
        for block in line_blocks(stream, name, most):
            if limits.single:
                yield from ([line] for line in lines_of(block))
            elif not transform.processing and not block.isspace():
                yield [block]
            elif lines := lines_of(block):
                yield lines
    else:
        read = recordio if transform.split_type == "RecordIO" else tfrecords
        # Without its frame a record of this type could not be read
        given = transform.content_type or ""
        framed = not limits.single or parse_content_type(given).name == RECORDIO
        records = read(stream, name, most, framed)
        yield from ([one] for one in records) if limits.single else packed(records, most)


def whole(stream: BinaryIO, name: str, most_bytes: int) -> bytes:
    """A whole object as one record.

    Raises:
        CallerError: it is longer than a request may be.
    """
    body = _read(stream, most_bytes + 1)
    if len(body) > most_bytes:
        raise _too_long(name, most_bytes)
    return body


def line_blocks(stream: BinaryIO, name: str, most_bytes: int) -> Iterator[bytes]:
    """As many whole lines as fit into a request, without the last one's end.

    Raises:
        CallerError: a line is longer than a request may be.
    """
    held = b""
    while piece := _read(stream, most_bytes + 1 - len(held)):
        held += piece
        if len(held) <= most_bytes:
            break
        cut = held.rfind(b"\n")
        if cut < 0:
            raise _too_long(f"{name}, a line", most_bytes)
        yield held[:cut]
        held = held[cut + 1 :]
    if held:
        yield held.removesuffix(b"\n")


def lines_of(block: bytes) -> list[bytes]:
    """The lines that are not blank, without their ends."""
    return [line.rstrip(b"\r") for line in block.split(b"\n") if line.strip()]


def recordio(stream: BinaryIO, name: str, most_bytes: int, framed: bool) -> Iterator[bytes]:
    """The records of a RecordIO file: with their frames and padding, or their data alone.

    Raises:
        CallerError: there is none where one must be, the file is cut short, or a record is longer
            than a request may be.
    """
    number, frames, parts = 1, b"", list[bytes]()
    while head := _read(stream, HEADER_BYTES):
        where = f"{name}, record {number}"
        if len(head) < HEADER_BYTES:
            raise _cut_short(where)
        magic, word = struct.unpack("<II", head)
        flag, length = word >> 29, word & LONGEST
        if magic != MAGIC or flag not in ((_MIDDLE, _LAST) if parts else (_WHOLE, _FIRST)):
            raise CallerError.of(where, "must begin as a RecordIO record does", head.hex(" "))
        size = length + -length % 4
        if len(frames) + HEADER_BYTES + size > most_bytes:
            raise _too_long(where, most_bytes)
        data = _read(stream, size)
        if len(data) < size:
            raise _cut_short(where)
        frames += head + data
        parts.append(data[:length])
        if flag in {_WHOLE, _LAST}:
            yield frames if framed else MAGIC.to_bytes(4, "little").join(parts)
            number, frames, parts = number + 1, b"", []
    if parts:
        raise _cut_short(f"{name}, record {number}")


def tfrecords(stream: BinaryIO, name: str, most_bytes: int, framed: bool) -> Iterator[bytes]:
    """The records of a TFRecord file: with their frames, or their data alone.

    Raises:
        CallerError: the file is cut short, or a record is longer than a request may be.
    """
    number = 1
    while head := _read(stream, _TF_HEAD):
        where = f"{name}, record {number}"
        if len(head) < _TF_HEAD:
            raise _cut_short(where)
        (length,) = struct.unpack("<Q", head[:8])
        if _TF_HEAD + length + _TF_TAIL > most_bytes:
            raise _too_long(where, most_bytes)
        data = _read(stream, length + _TF_TAIL)
        if len(data) < length + _TF_TAIL:
            raise _cut_short(where)
        yield head + data if framed else data[:length]
        number += 1


def packed(records: Iterable[bytes], most_bytes: int) -> Iterator[list[bytes]]:
    """As many records as fit into a request together; never none."""
    pack: list[bytes] = []
    size = 0
    for record in records:
        if pack and size + len(record) > most_bytes:
            yield pack
            pack, size = [], 0
        size += len(record)
        pack.append(record)
    if pack:
        yield pack


def _read(stream: BinaryIO, size: int) -> bytes:
    """So many bytes, however few come at once; fewer only at the end."""
    data = stream.read(size)
    if len(data) == size or not data:
        return data
    parts, left = [data], size - len(data)
    while left and (data := stream.read(left)):
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


def _too_long(where: str, most_bytes: int) -> CallerError:
    return CallerError.of(
        where,
        f"must fit into a request of {most_bytes:,} bytes",
        remedy="Set MaxPayloadInMB higher, or SplitType so that there are smaller records.",
    )


def _cut_short(where: str) -> CallerError:
    return CallerError.of(where, "must be whole", remedy="Is the file cut short?")
