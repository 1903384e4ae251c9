"""XXH64 of strings, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md, with seed 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clary.codecs.addresses import buffers
from clary.kernels import kernel

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)


def places(texts: pa.Array, size: int) -> npt.NDArray[np.int32]:
    """(rows,): the hash of each string's UTF-8 bytes, modulo `size`."""
    found = np.zeros(len(texts), np.int32)
    if len(texts):
        _places(*buffers(texts), np.uint64(size), found)
    return found


@kernel
def _places(data: Any, starts: Any, size: Any, found: Any) -> None:
    for row in range(len(found)):
        found[row] = xxh64(data, starts[row], starts[row + 1]) % size


@kernel
def xxh64(data: Any, start: int, stop: int) -> Any:
    """The hash of the bytes from start to stop."""
    place, length = start, stop - start
    if length >= 32:
        a, b, c, d = _P1 + _P2, _P2, np.uint64(0), np.uint64(0) - _P1
        while place + 32 <= stop:
            a, b = _round(a, _word(data, place, 8)), _round(b, _word(data, place + 8, 8))
            c, d = _round(c, _word(data, place + 16, 8)), _round(d, _word(data, place + 24, 8))
            place += 32
        value = _turned(a, 1) + _turned(b, 7) + _turned(c, 12) + _turned(d, 18)
        for lane in (a, b, c, d):
            value = (value ^ _round(np.uint64(0), lane)) * _P1 + _P4
    else:
        value = _P5
    value += np.uint64(length)
    while place + 8 <= stop:
        value ^= _round(np.uint64(0), _word(data, place, 8))
        value, place = _turned(value, 27) * _P1 + _P4, place + 8
    if place + 4 <= stop:
        value ^= _word(data, place, 4) * _P1
        value, place = _turned(value, 23) * _P2 + _P3, place + 4
    while place < stop:
        value ^= np.uint64(data[place]) * _P5
        value, place = _turned(value, 11) * _P1, place + 1
    value = (value ^ (value >> np.uint64(33))) * _P2
    value = (value ^ (value >> np.uint64(29))) * _P3
    return value ^ (value >> np.uint64(32))


@kernel
def _round(lane: Any, word: Any) -> Any:
    return _turned(lane + word * _P2, 31) * _P1


@kernel
def _turned(value: Any, bits: int) -> Any:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@kernel
def _word(data: Any, place: int, size: int) -> Any:
    """The bytes as a little-endian number."""
    value = np.uint64(0)
    for at in range(size):
        value |= np.uint64(data[place + at]) << np.uint64(8 * at)
    return value
