"""Internet addresses from text to numbers, a column at a time.

RFC 4291 says how IPv6 is written; of IPv4 only four decimal numbers without leading zeros are
taken, since others are read as octal by some. An IPv4 address within IPv6 (`::ffff:192.0.2.7`) is
the IPv4 address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clary.kernels import kernel

MALFORMED, IPV4, IPV6 = 0, 4, 6

_DOT, _COLON, _ZERO, _NINE = 46, 58, 48, 57
_MAPPED = 0xFFFF


@dataclass(frozen=True)
class Addresses:
    """Addresses as numbers.

    family: (rows,) 4, 6, or 0 where the text is no address.
    high, low: (rows,) uint64, the halves of an IPv6 address; an IPv4 address is in the low one.
    """

    family: npt.NDArray[np.uint8]
    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]


def parsed(texts: pa.Array) -> Addresses:
    """The addresses of a column of strings."""
    rows = len(texts)
    found = Addresses(
        np.zeros(rows, np.uint8), np.zeros(rows, np.uint64), np.zeros(rows, np.uint64)
    )
    if rows:
        _parse(*buffers(texts), found.family, found.high, found.low)
    return found


def is_address(text: str) -> bool:
    """Whether a text is an address."""
    return bool(parsed(pa.array([text], pa.string())).family[0])


def buffers(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """The bytes of a column of strings, and where each begins; one more than there are rows."""
    _, bounds, data = texts.buffers()
    starts = np.frombuffer(bounds, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(data or b"", np.uint8), starts


@kernel
def _parse(data: Any, starts: Any, family: Any, high: Any, low: Any) -> None:
    for row in range(len(family)):
        start, stop = starts[row], starts[row + 1]
        value = _four(data, start, stop)
        if value >= 0:
            family[row], low[row] = IPV4, np.uint64(value)
        else:
            right, high[row], low[row] = _six(data, start, stop)
            if right:
                mapped = high[row] == 0 and low[row] >> np.uint64(32) == _MAPPED
                family[row] = IPV4 if mapped else IPV6
                if mapped:
                    low[row] &= np.uint64(0xFFFFFFFF)


@kernel
def _four(data: Any, start: int, stop: int) -> int:
    """The number that four decimal numbers with dots between them are, or -1."""
    value, octet, digits, dots = 0, 0, 0, 0
    for place in range(start, stop):
        char = data[place]
        if _ZERO <= char <= _NINE:
            if digits and octet == 0:
                return -1
            octet, digits = octet * 10 + (char - _ZERO), digits + 1
            if octet > 255:
                return -1
        elif char == _DOT and digits and dots < 3:
            value, octet, digits, dots = value * 256 + octet, 0, 0, dots + 1
        else:
            return -1
    return value * 256 + octet if dots == 3 and digits else -1


@kernel
def _six(data: Any, start: int, stop: int) -> tuple[bool, Any, Any]:
    """Whether a text is an IPv6 address, and its halves."""
    none = (False, np.uint64(0), np.uint64(0))
    groups = np.zeros(8, np.uint64)
    count, gap, place = 0, -1, start
    if stop - start >= 2 and data[start] == _COLON and data[start + 1] == _COLON:
        gap, place = 0, start + 2
    while place < stop:
        end = place
        value = np.uint64(0)
        while end < stop and end - place < 5 and _hex(data[end]) >= 0:
            value = (value << np.uint64(4)) | np.uint64(_hex(data[end]))
            end += 1
        if end < stop and data[end] == _DOT:
            last = _four(data, place, stop)
            if last < 0 or count > 6:
                return none
            groups[count], groups[count + 1] = np.uint64(last >> 16), np.uint64(last & 0xFFFF)
            count, place = count + 2, stop
            break
        if end == place or end - place > 4 or count == 8:
            return none
        groups[count], count, place = value, count + 1, end
        if place == stop:
            break
        if data[place] != _COLON or place + 1 == stop:
            return none
        place += 1
        if data[place] == _COLON:
            if gap >= 0:
                return none
            gap, place = count, place + 1
    if (gap < 0 and count != 8) or (gap >= 0 and count > 7):
        return none
    return True, *_halves(groups, count, gap)


@kernel
def _halves(groups: Any, count: int, gap: int) -> tuple[Any, Any]:
    """Eight groups of 16 bits as two numbers; zeros stand in the gap."""
    halves = np.zeros(2, np.uint64)
    for at in range(count):
        where = at if gap < 0 or at < gap else at + 8 - count
        halves[where // 4] |= groups[at] << np.uint64(16 * (3 - where % 4))
    return halves[0], halves[1]


@kernel
def _hex(char: int) -> int:
    """The value of a hexadecimal digit, or -1."""
    if _ZERO <= char <= _NINE:
        return char - _ZERO
    if 97 <= char <= 102:
        return char - 87
    if 65 <= char <= 70:
        return char - 55
    return -1
