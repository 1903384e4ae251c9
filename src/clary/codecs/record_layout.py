"""What the records of a data set have in common, learned from one of them.

A data set is written by one program, so its records differ only in their numbers. A `Stencil` finds
the numbers of records which have the same bytes elsewhere; a `Path` those of records in which the
same things of any lengths follow one another. Both look at many records at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.codecs.record_proto import FLOAT32, INT32, NUMBER_BYTES, Message, Span, Step, Tensor
from clary.codecs.varints import Bytes, Integers, as_int32, varints

SIDES = ("features", "label")
SLOTS = tuple(f"{side} {slot}" for side in SIDES for slot in ("values", "keys", "shape"))

_WHOLE_WORD = 2**64 - 1
_LONGEST_LENGTH = 4
# Records with more in common than that, as with many packed integers, are found by their paths
_MOST_COMPARED_BYTES = 512
_BEYOND = 1 << 62

# Where it begins, the bits that count, and what they must be
_Word: TypeAlias = tuple[int, np.uint64, np.uint64]


class Table:
    """Where the numbers of records lie in a buffer.

    kinds: (2, rows) field numbers of the tensors of features and label; 0 means there is none.
    spans: (6, 2, rows) first byte and end of each of `SLOTS`; equal where it is absent.
    """

    def __init__(self, rows: int) -> None:
        self.kinds = np.zeros((len(SIDES), rows), np.int64)
        self.spans = np.zeros((len(SLOTS), 2, rows), np.int64)

    def enter(self, row: int, message: Message, data: Bytes, start: int, spare: bytearray) -> None:
        """Enter one record, whose message begins at `start` of the buffer `data`.

        Scattered numbers are put together at the end of `spare`, which follows the buffer.
        """
        for side, name in enumerate(SIDES):
            tensor = message.tensors.get(name, Tensor())
            self.kinds[side, row] = tensor.kind
            for slot, spans in enumerate((tensor.values, tensor.keys, tensor.shape)):
                if len(spans) == 1:
                    span = spans[0][0] + start, spans[0][1] + start
                else:
                    begin = len(data) + len(spare)
                    spare += b"".join(data[start + a : start + b].tobytes() for a, b in spans)
                    span = begin, len(data) + len(spare)
                self.spans[3 * side + slot, :, row] = span


@dataclass(frozen=True)
class Hole:
    """Where `count` numbers lie in every record of a stencil; `kind` is the tensor's number."""

    kind: int
    start: int
    stop: int
    count: int


class Stencil:
    """A dense record with holes where its numbers are.

    size: bytes of the record with header and padding.
    features, label: its holes.
    """

    def __init__(self, frame: bytes, features: Hole, label: Hole | None, masks: Bytes) -> None:
        self.size = len(frame)
        self.features = features
        self.label = label
        self._words = _words(frame, masks)

    @classmethod
    def of(cls, frame: bytes, message: Message, message_start: int) -> Stencil | None:
        """The stencil of a record, or None if it has its numbers in unusual places.

        Args:
            frame: the record with header and padding, in which `message` begins at `message_start`.
        """
        features, label = (message.tensors.get(side, Tensor()) for side in SIDES)
        if len(features.values) != 1 or len(label.values) > 1:
            return None
        holes = [_hole(frame, tensor, message_start) for tensor in (features, label)]
        skipped = [(start + message_start, stop + message_start) for start, stop in message.skipped]
        masks = _masks(frame, holes, skipped)
        if holes[0] is None or np.count_nonzero(masks) > _MOST_COMPARED_BYTES:
            return None
        return cls(frame, holes[0], holes[1], masks)

    def repeats(self, data: Bytes, start: int, end: int) -> int:
        """How many records that fit follow one another from `start` on."""
        count = (end - start) // self.size
        for at, mask, expected in self._words:
            if not count:
                break
            # The words need not be aligned: numpy copies them where the processor minds
            words = np.ndarray((count,), "<u8", data, start + at, (self.size,))
            same = (words if mask == _WHOLE_WORD else words & mask) == expected
            if not same.all():
                count = int(np.argmin(same))
        return count

    def read(self, hole: Hole, data: Bytes, start: int, out: npt.NDArray[np.float32]) -> None:
        """Copy the numbers of records that fit, from `start` on, into `out` (rows, count)."""
        length = hole.stop - hole.start
        raw = np.ndarray((len(out),), f"V{length}", data, start + hole.start, (self.size,))
        if hole.kind == FLOAT32:
            out.view(raw.dtype)[:, 0] = raw
            return
        packed = np.ascontiguousarray(raw)
        if hole.kind == INT32:
            out[...] = as_int32(varints(packed.view(np.uint8)).numbers).reshape(out.shape)
        else:
            with np.errstate(over="ignore"):
                out[...] = packed.view("<f8").reshape(out.shape)


class Path:
    """The way through a message: what follows what, whatever the lengths.

    What follows the last thing of any length is the same in all records but for its numbers, and is
    looked at as a whole.
    """

    def __init__(self, message: Message, steps: list[Step], tail: _Tail) -> None:
        self._kinds = [message.tensors.get(side, Tensor()).kind for side in SIDES]
        self._steps = steps
        self._tail = tail

    @classmethod
    def of(cls, message: Message, steps: list[Step], data: Bytes, span: Span) -> Path | None:
        """The path of a message; None if its lengths are written unusually.

        Args:
            data: a buffer in which it lies at `span`, and that goes on for `SLACK_BYTES` behind.
        """
        merged = _merged(steps)
        varying = [at for at, step in enumerate(merged) if _varies(step, message)]
        split = varying[-1] + 1 if varying else 0
        tail = _tail(data, span, merged[:split], merged[split:])
        return cls(message, merged[:split], tail) if tail else None

    def enter(
        self, data: Bytes, starts: Integers, stops: Integers, rows: Integers, table: Table
    ) -> Integers:
        """Enter those of the rows on which this way leads to the end; the others are returned.

        Args:
            data: a buffer that goes on for `SLACK_BYTES` behind the last message.
            starts, stops: where the message of each record begins and ends, (records,).
            rows: which records to try.
        """
        if not len(rows):
            return rows
        walk = _Walk(data, starts[rows], stops[rows])
        for step in self._steps:
            walk.go(step)
        walk.finish(self._tail)
        found = rows[walk.rows]
        # Writing to all rows is much quicker than to all of them by their numbers
        place = slice(None) if len(found) == table.kinds.shape[1] else found
        table.kinds[:, place] = np.array(self._kinds)[:, None]
        for slot, span in walk.slots.items():
            table.spans[SLOTS.index(slot)][:, place] = span
        if len(found) == len(rows):
            return rows[:0]
        others = np.ones(len(rows), bool)
        others[walk.rows] = False
        return rows[others]


class _Tail(NamedTuple):
    """The end of a message that is the same in all records but for its numbers.

    closes: where in it those messages end that began before, innermost first.
    slots: where in it numbers lie.
    """

    size: int
    closes: list[int]
    slots: dict[str, Span]
    words: list[_Word]


class _Walk:
    """Goes through many messages in step; those that leave the way drop out.

    rows: which are still on it; at: where each one is; ends: of the messages it is in, innermost
    last.
    """

    def __init__(self, data: Bytes, starts: Integers, stops: Integers) -> None:
        self.rows = np.arange(len(starts))
        self.at = starts
        self.ends = [stops]
        self.slots: dict[str, tuple[Integers, Integers]] = {}
        self._data = data
        self._words = np.ndarray(len(data) - 7, "<u8", data, strides=(1,))

    def go(self, step: Step) -> None:
        if step.kind == "close":
            self.keep(self.at == self.ends[-1])
            self.ends.pop()
            return
        self._go_in(step.literal)
        if step.kind == "take":
            end = self.ends.pop()
            if step.slot:
                self.slots[step.slot] = (self.at, end)
            self.at = end

    def finish(self, tail: _Tail) -> None:
        """Keep the rows that end with the tail."""
        self.keep(self.at + tail.size == self.ends[0])
        size = max(tail.size, 8)
        # Gathering all words at once is quicker than each by itself
        places = np.ndarray(
            max(0, len(self._data) - size + 1), f"V{size}", self._data, strides=(1,)
        )
        found = places[self.at].view(np.uint8).reshape(len(self.at), size)
        good = np.ones(len(found), bool)
        for at, mask, expected in tail.words:
            good &= found[:, at : at + 8].view("<u8")[:, 0] & mask == expected
        for depth, place in enumerate(tail.closes, 1):
            good &= self.at + place == self.ends[-depth]
        self.keep(good)
        self.slots |= {slot: (self.at + a, self.at + b) for slot, (a, b) in tail.slots.items()}

    def keep(self, good: npt.NDArray[np.bool_]) -> None:
        if not good.all():
            self.rows, self.at = self.rows[good], self.at[good]
            self.ends = [end[good] for end in self.ends]
            self.slots = {slot: (a[good], b[good]) for slot, (a, b) in self.slots.items()}

    def _go_in(self, literal: bytes) -> None:
        """Go behind these bytes and the length that follows, and make its end the innermost one."""
        self.keep(self.at + len(literal) <= self.ends[-1])
        for start in range(0, len(literal), 8):
            part = literal[start : start + 8]
            # Words that begin anywhere are several times as slow to gather as bytes
            found = (self._words if len(part) > 1 else self._data)[self.at + start]
            mask = (1 << 8 * len(part)) - 1
            self.keep(found & mask == int.from_bytes(part, "little"))
        self.at = self.at + len(literal)
        self._read_length()
        self.keep(self.ends[-1] <= self.ends[-2])

    def _read_length(self) -> None:
        byte = self._data[self.at]
        self.at = self.at + 1
        length = (byte & 0x7F).astype(np.int64)
        # 0 or 1, to multiply with: whether the length has another byte
        more = byte >> 7
        for place in range(1, _LONGEST_LENGTH):
            if not more.any():
                break
            byte = self._data[self.at] * more
            length |= (byte & 0x7F).astype(np.int64) << 7 * place
            self.at += more
            more = byte >> 7
        else:
            length[more > 0] = _BEYOND
        self.ends.append(self.at + length)


def _varies(step: Step, message: Message) -> bool:
    """Whether rows may have it in other lengths: they are of one width, but integers vary."""
    side, _, slot = step.slot.partition(" ")
    uneven = step.slot in {"", "features values", "features keys"}
    uneven |= slot == "values" and message.tensors[side].kind == INT32
    return step.kind == "take" and uneven


def _tail(data: Bytes, message: Span, head: list[Step], steps: list[Step]) -> _Tail | None:
    """What a message has in these steps, behind the head; None if they do not lead to its end.

    message: where in the data it lies.
    """
    walk = _Walk(data, np.array(message[:1]), np.array(message[1:]))
    for step in head:
        walk.go(step)
    begin, open_ends, before, closes = walk.at, len(walk.ends), set(walk.slots), []
    for step in steps:
        walk.go(step)
        if len(walk.ends) < open_ends:
            open_ends -= 1
            closes.append(walk.at)
    if not len(walk.at):
        return None
    first, size = int(begin[0]), message[1] - int(begin[0])
    slots = {
        slot: (int(start[0]) - first, int(stop[0]) - first)
        for slot, (start, stop) in walk.slots.items()
        if slot not in before
    }
    frame = data[first : message[1]].tobytes().ljust(8, b"\0")
    masks = _masks(frame, [], [*slots.values(), (size, len(frame))])
    return _Tail(size, [int(at[0]) - first for at in closes], slots, _words(frame, masks))


def _hole(frame: bytes, tensor: Tensor, message_start: int) -> Hole | None:
    if not tensor.values:
        return None
    start, stop = (message_start + at for at in tensor.values[0])
    if tensor.kind == INT32:
        count = int(np.count_nonzero(np.frombuffer(frame[start:stop], np.uint8) < 0x80))
    else:
        count = (stop - start) // NUMBER_BYTES[tensor.kind]
    return Hole(tensor.kind, start, stop, count)


def _merged(steps: list[Step]) -> list[Step]:
    """The steps with bare literals joined to the step that follows."""
    merged: list[Step] = []
    literal = b""
    for step in steps:
        literal += step.literal
        if step.kind != "literal":
            merged.append(step._replace(literal=literal))
            literal = b""
    return merged


def _masks(frame: bytes, holes: list[Hole | None], skipped: list[Span]) -> Bytes:
    """The bits of each byte in which records agree."""
    masks = np.full(len(frame), 0xFF, np.uint8)
    for start, stop in skipped:
        masks[start:stop] = 0
    for hole in holes:
        if hole:
            # The high bits of packed integers say how long each one is
            masks[hole.start : hole.stop] = 0x80 if hole.kind == INT32 else 0
    return masks


def _words(frame: bytes, masks: Bytes) -> list[_Word]:
    """Words that hold all bits to compare, of a frame of eight bytes at least.

    They overlap where that makes a mask unnecessary.
    """
    words = []
    left = masks.copy()
    while left.any():
        place = int(np.argmax(left > 0))
        starts = range(min(place, len(frame) - 8), max(0, place - 7) - 1, -1)
        at = next((at for at in starts if (masks[at : at + 8] == 0xFF).all()), starts[0])
        left[at : at + 8] = 0
        mask = masks[at : at + 8].view("<u8")[0]
        words.append((at, mask, np.frombuffer(frame, "<u8", 1, at)[0] & mask))
    return words
