"""Integers of variable length, seven bits to a byte, as protobuf packs them."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
Integers: TypeAlias = npt.NDArray[np.int64]

LONGEST_VARINT = 10

# Arrays of so many stay where the last ones were; larger ones are new memory each time
_AT_ONCE = 1 << 13


class Malformed(ValueError):
    """The bytes are not what they are read as. `offset` counts from the first of them."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(what)
        self.offset = offset


class Varints(NamedTuple):
    """numbers: (count,) uint64; ends: (count,) offset of each one's last byte."""

    numbers: npt.NDArray[np.uint64]
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
        return Varints(packed.astype(np.uint64), ends)
    parts = []
    for first in range(0, len(ends), _AT_ONCE):
        before = int(ends[first - 1]) if first else -1
        parts.append(_varints(packed, before, ends[first : first + _AT_ONCE]))
    return Varints(np.concatenate(parts), ends)


def as_int32(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.int32]:
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


def _varints(packed: Bytes, before: int, ends: Integers) -> npt.NDArray[np.uint64]:
    """The integers that end at `ends`, the first of which begins behind `before`."""
    lengths = np.diff(ends, prepend=before)
    numbers = packed[ends].astype(np.uint64)
    longer, place = np.flatnonzero(lengths > 1), 1
    while len(longer):
        if place == LONGEST_VARINT:
            at = int(ends[longer[0]] - lengths[longer[0]] + 1)
            raise Malformed(at, f"an integer is longer than {LONGEST_VARINT} bytes")
        bits = packed[ends[longer] - place] & np.uint8(0x7F)
        numbers[longer] = numbers[longer] << np.uint64(7) | bits
        place += 1
        longer = longer[lengths[longer] > place]
    return numbers
