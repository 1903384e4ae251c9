"""RecordIO: where records begin and end in a stream.

A record is a magic word, a word with a flag (upper 3 bits) and the length (lower 29 bits), the
data, and padding to a multiple of 4 bytes. Flags 1, 2 and 3 mark the first, middle and last part of
a record that was split where the magic occurred in it; a reader puts the magic back between parts.
Source: dmlc-core, `include/dmlc/recordio.h` and `src/recordio.cc`.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from clary.codecs.memory import keep_freed_memory
from clary.codecs.varints import Bytes, Integers
from clary.errors import CallerError

MAGIC = 0xCED7230A
# A buffer goes on for so long behind its last record, so that words can be read at any position
SLACK_BYTES = 16
HEADER_BYTES = 8
LONGEST = 2**29 - 1

# What is read at once stays in the processor's cache until it is copied into rows
_READ_BYTES = 1 << 22
_WINDOW_LIMIT = 1 << 27
_MAGIC = MAGIC.to_bytes(4, "little")
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_MOST_JOINED = 4096
_MOST_PARTS = 1 << 17


def framed(message: bytes) -> bytes:
    """A message as one record.

    Raises:
        CallerError: it is longer than a record can be.
    """
    if len(message) > LONGEST:
        raise CallerError.of(
            "a row", f"can take at most {LONGEST:,} bytes as a record", len(message)
        )
    return struct.pack("<II", MAGIC, len(message)) + message + bytes(-len(message) % 4)


class Frames(NamedTuple):
    """Records one after the other.

    data: bytes in which their messages lie, and `SLACK_BYTES` more; they may be the window's.
    starts, stops: (records,) where in them.
    heads: (records,) where the records begin in the window.
    next_start: where the record behind them begins in the window.
    """

    data: Bytes
    starts: Integers
    stops: Integers
    heads: Integers
    next_start: int


class Window:
    """The part of a stream that is looked at: `data[start:end]`.

    `start` is always at the beginning of a record and a multiple of 4.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        keep_freed_memory()
        self.data: Bytes = np.empty(_READ_BYTES + SLACK_BYTES, np.uint8)
        self.start = self.end = 0
        self._stream = stream
        self._name = name
        self._bytes_before = self._records_before = 0

    def fill(self) -> bool:
        """Read on, keeping what is left; whether there was more.

        Raises:
            CallerError: the record at `start` is longer than any that is read.
        """
        left, room = self.end - self.start, len(self.data) - SLACK_BYTES
        if left == room:
            if left >= _WINDOW_LIMIT:
                raise CallerError.of(self.where(0, 0), f"must end within {left >> 20} MiB")
            self.data, room = np.concatenate([self.data, np.empty(room, np.uint8)]), 2 * room
        else:
            self.data[:left] = self.data[self.start : self.end]
        self._bytes_before += self.start
        self.start, self.end = 0, left
        self.end += _read_whole(self._stream, self.data.data[left:room])
        return self.end > left

    def advance(self, records: int, start: int) -> None:
        """Go on to a later record."""
        self._records_before += records
        self.start = start

    def frames(self, most_bytes: int) -> Frames | None:
        """Whole records from `start` on; None if there is not even one.

        Args:
            most_bytes: about how far to look.

        Raises:
            CallerError: there is no record at `start`, or one of parts that do not belong together.
        """
        self._check_magic(0, self.start)
        if self.end - self.start < HEADER_BYTES:
            return None
        flag, _, next_start = self._header(self.start)
        if flag != _WHOLE:
            return self._joined_frames()
        if next_start > self.end:
            return None
        return self._whole_frames(min(self.end, max(next_start, self.start + most_bytes)))

    def check_end(self) -> None:
        """The stream does not end inside a record.

        Raises:
            CallerError: it does.
        """
        if self.end > self.start:
            self._check_magic(0, self.start)
            got = f"only {self.end - self.start:,} bytes of it"
            remedy = "Is the file cut short?"
            raise CallerError.of(self.where(0, self.start), "must be whole", got, remedy)

    def where(self, row: int, at: int) -> str:
        """A place as faults name it: `row` counts from the record at `start`, `at` is in `data`."""
        record, offset = self._records_before + row + 1, self._bytes_before + at
        return f"{self._name}, record {record} at byte {offset}"

    def _whole_frames(self, end: int) -> Frames:
        """The unsplit records from `start` to `end`, up to the first that is split."""
        words = self.data[self.start : self.start + (end - self.start) // 4 * 4].view("<u4")
        found = np.flatnonzero(words[:-1] == MAGIC)
        header = words[found + 1]
        lengths = (header & LONGEST).astype(np.int64)
        ends = found + HEADER_BYTES // 4 + (lengths + 3) // 4
        chain = _chain(found, ends, (header <= LONGEST) & (ends <= len(words)))
        heads = 4 * found[chain]
        starts = heads + HEADER_BYTES
        length = 4 * int(ends[chain[-1]])
        data = self.data[self.start : self.start + length + SLACK_BYTES]
        stops = starts + lengths[chain]
        return Frames(data, starts, stops, heads + self.start, self.start + length)

    def _joined_frames(self) -> Frames | None:
        """Some records from `start` on, split ones put together."""
        messages: list[bytes] = []
        heads: list[int] = []
        at = self.start
        while len(heads) < _MOST_JOINED and (joined := self._joined(len(heads), at)):
            heads.append(at)
            message, at = joined
            messages.append(message)
        if not heads:
            return None
        stops = np.cumsum([len(message) for message in messages])
        starts = np.concatenate([[0], stops[:-1]])
        data = np.frombuffer(b"".join([*messages, bytes(SLACK_BYTES)]), np.uint8)
        return Frames(data, starts, stops, np.array(heads), at)

    def _joined(self, row: int, at: int) -> tuple[bytes, int] | None:
        """The message of one record and where the next one begins; None if its end is missing."""
        parts: list[bytes] = []
        start = at
        while at + HEADER_BYTES <= self.end:
            self._check_magic(row, at)
            flag, length, next_start = self._header(at)
            expected = (_MIDDLE, _LAST) if parts else (_WHOLE, _FIRST)
            if flag not in expected:
                rule = f"part {len(parts) + 1} must have the flag {expected[0]} or {expected[1]}"
                raise CallerError.of(self.where(row, at), rule, flag)
            if next_start > self.end:
                return None
            if len(parts) == _MOST_PARTS:
                raise CallerError.of(
                    self.where(row, start), f"must be of at most {len(parts):,} parts"
                )
            first = at + HEADER_BYTES
            parts.append(self.data[first : first + length].tobytes())
            at = next_start
            if flag in {_WHOLE, _LAST}:
                return _MAGIC.join(parts), at
        return None

    def _header(self, at: int) -> tuple[int, int, int]:
        """Flag and length of the record at `at`, and where the next one begins."""
        word = int.from_bytes(self.data[at + 4 : at + 8].tobytes(), "little")
        length = word & LONGEST
        return word >> 29, length, at + HEADER_BYTES + length + -length % 4

    def _check_magic(self, row: int, at: int) -> None:
        found = self.data[at : min(self.end, at + 4)].tobytes()
        if not _MAGIC.startswith(found):
            rule = f"must begin with the bytes {_MAGIC.hex(' ')}"
            remedy = "Is this RecordIO-protobuf?"
            raise CallerError.of(self.where(row, at), rule, found.hex(" "), remedy)


def _chain(found: Integers, ends: Integers, whole: npt.NDArray[np.bool_]) -> Integers:
    """Which of the places where the magic was found begin records: those that lengths lead to.

    Args:
        found, ends: (places,) where the magic was found, and where a record there would end.
        whole: whether it would be unsplit and all there; the first is.
    """
    if whole[:-1].all() and (ends[:-1] == found[1:]).all():
        return np.arange(len(found) - (not whole[-1]))
    successors = np.searchsorted(found, ends)
    leads = successors < len(found)
    leads[leads] = (found[successors[leads]] == ends[leads]) & whole[successors[leads]]
    last = len(found) if leads.all() else int(np.argmin(leads))
    if (successors[:last] == np.arange(1, last + 1)).all():
        return np.arange(last + 1)
    # The magic occurs in data, too
    following, leads_on = successors.tolist(), leads.tolist()
    chain = [0]
    while leads_on[chain[-1]]:
        chain.append(following[chain[-1]])
    return np.array(chain)


def _read_whole(stream: BinaryIO, view: memoryview) -> int:
    """Read until the view is full or the stream ends; how many bytes were read."""
    done = 0
    read_into = getattr(stream, "readinto", None)
    while done < len(view):
        if read_into:
            count = read_into(view[done:])
        else:
            piece = stream.read(len(view) - done)
            count = len(piece)
            view[done : done + count] = piece
        if not count:
            break
        done += count
    return done
