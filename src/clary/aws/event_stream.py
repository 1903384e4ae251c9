"""Frames of AWS's event stream, as answers in parts travel: headers and a payload with checksums.

A frame: total length, length of headers, CRC-32 of these 8 bytes; headers; payload; CRC-32 of all
before it. A header of text: length of its name, name, 7, length of its value, value.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
# As many bytes as a part has at most
PART_BYTES = 64 * 1024

_TEXT = 7


def payload_parts(body: bytes) -> Iterator[bytes]:
    """A body as frames of PayloadPart events."""
    headers = {
        ":message-type": "event",
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
    }
    for start in range(0, len(body), PART_BYTES):
        yield frame(headers, body[start : start + PART_BYTES])


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    packed = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    begun = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return begun + struct.pack(">I", zlib.crc32(begun))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return bytes([len(key)]) + key + struct.pack(">BH", _TEXT, len(text)) + text
