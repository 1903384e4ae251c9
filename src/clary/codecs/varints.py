"""Integers of variable length, seven bits to a byte, as protobuf packs them."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
Integers: TypeAlias = npt.NDArray[np.int64]
Unsigned: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]

LONGEST_VARINT = 10

# Bounds the memory, which is a dozen times the packed bytes
_AT_ONCE = 1 << 17
# What holds the next byte, too, from so many bytes on
_WIDTHS: dict[int, type[np.unsignedinteger[Any]]] = {1: np.uint16, 2: np.uint32, 4: np.uint64}


class Malformed(ValueError):
    """The bytes are not what they are read as. `offset` counts from the first of them."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(what)
        self.offset = offset


class Varints(NamedTuple):
    """numbers: (count,) unsigned, as wide as needed; ends: (count,) each one's last byte."""

    numbers: Unsigned
    ends: Integers


def varints(packed: Bytes) -> Varints:
    """Packed variable-length integers, all at once.

    Raises:
        Malformed: the last is cut off, or one is longer than 64 bits take.
    """
    ends = np.flatnonzero(packed < 0x80)
    if len(packed) and (not len(ends) or ends[-1] != len(packed) - 1):
        raise Malformed(len(packed), "an integer is cut off")
    if len(ends) == len(packed):
        return Varints(packed, ends)
    parts, start = [], 0
    for first in range(0, len(ends), _AT_ONCE):
        chosen = ends[first : first + _AT_ONCE]
        stop = int(chosen[-1]) + 1
        try:
            parts.append(_ending_anywhere(packed[start:stop]).take(chosen - start))
        except Malformed as fault:
            raise Malformed(start + fault.offset, str(fault)) from None
        start = stop
    return Varints(np.concatenate(parts) if len(parts) > 1 else parts[0], ends)


def as_int32(numbers: Unsigned) -> npt.NDArray[np.int32]:
    """What an int32 was before it was written as a varint, where negatives take 64 bits."""
    return numbers.astype(np.uint32).view(np.int32)


def packed_varints(numbers: npt.NDArray[np.uint64]) -> tuple[Bytes, Integers]:
    """The integers packed, and where each begins, with the total length as the last item."""
    sizes = np.ones(len(numbers), np.int64)
    for place in range(1, LONGEST_VARINT):
        longer = numbers >= np.uint64(1 << (7 * place))
        if not longer.any():
            break
        sizes += longer
    bounds = np.zeros(len(numbers) + 1, np.int64)
    np.cumsum(sizes, out=bounds[1:])
    packed = np.empty(bounds[-1], np.uint8)
    for place in range(int(sizes.max(initial=0))):
        chosen = np.flatnonzero(sizes > place)
        bits = (numbers[chosen] >> np.uint64(7 * place)) & np.uint64(0x7F)
        more = (sizes[chosen] > place + 1).astype(np.uint64) << np.uint64(7)
        packed[bounds[chosen] + place] = (bits | more).astype(np.uint8)
    return packed, bounds


def varint(number: int) -> bytes:
    """One integer, packed."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _ending_anywhere(packed: Bytes) -> Unsigned:
    """For each byte the integer that it and those before it would be, were it the last.

    Working on all bytes, without a look at where integers end, is what processors do fast.
    """
    low, goes_on, length = packed & 0x7F, packed[:-1] >> 7, 1
    numbers: Unsigned = low.astype(_WIDTHS[length])
    # goes_on: whether the `length` bytes in front belong to the integer; 0 or 1, to multiply with
    while goes_on.any():
        if length == LONGEST_VARINT:
            what = f"an integer is longer than {LONGEST_VARINT} bytes"
            raise Malformed(int(np.argmax(goes_on)), what)
        if length in _WIDTHS:
            numbers = numbers.astype(_WIDTHS[length], copy=False)
        later = numbers[length:]
        later *= goes_on * np.uint8(0x7F) + np.uint8(1)
        later += low[:-length] * goes_on
        goes_on = goes_on[1:] & (packed[: len(goes_on) - 1] >> 7)
        length += 1
    return numbers
