"""The protobuf message inside a record, read and written without a protobuf runtime.

The schema is SageMaker's `aialgs.data.Record` (proto2): `features` (1) and `label` (2) are maps
from a name to a `Value`, which holds one tensor of float32 (2), float64 (3) or int32 (7), or bytes
(9). A tensor has packed `values` (1), `keys` (2) and `shape` (3). Both maps carry their numbers
under the name `values`.

Wire format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from clary.codecs.varints import LONGEST_VARINT, Malformed, varint

Span: TypeAlias = tuple[int, int]

FEATURES, LABEL = 1, 2
FLOAT32, FLOAT64, INT32, BYTES = 2, 3, 7, 9
VALUES, KEYS, SHAPE = 1, 2, 3
KEY = b"values"
NUMBER_BYTES = {FLOAT32: 4, FLOAT64: 8}

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
# The wire type of one number of each tensor when it is not packed
_LOOSE = {FLOAT32: _FIXED32, FLOAT64: _FIXED64, INT32: _VARINT}
_FIXED_SIZES = {_FIXED32: 4, _FIXED64: 8}
_SIDES = {FEATURES: "features", LABEL: "label"}
_SLOTS = {VALUES: "values", KEYS: "keys", SHAPE: "shape"}
# Packed numbers are one field each; what is written otherwise is slow to read
_MOST_FIELDS = 1 << 17


@dataclass
class Tensor:
    """Where the numbers of a tensor lie in the message.

    kind: the tensor's field number in `Value`, or 0 for a value that holds nothing.
    Numbers that lie together are one span; writers may scatter them over several.
    """

    kind: int = 0
    values: list[Span] = field(default_factory=list)
    keys: list[Span] = field(default_factory=list)
    shape: list[Span] = field(default_factory=list)


class Step(NamedTuple):
    """One thing met on the way through a message; `literal` is the same in all of a layout.

    literal: just these bytes.
    open: these bytes, then the length of a nested message, which ends at the matching close.
    take: these bytes, a length and so many bytes; `slot` says what they are, empty if skipped.
    """

    kind: Literal["literal", "open", "close", "take"]
    literal: bytes = b""
    slot: str = ""


@dataclass
class Message:
    """What a record says under the name `values`, and the way through its bytes.

    names: all names under `features` and `label`.
    skipped: where things lie that are no numbers: uid, metadata, …
    steps: None where the message is written unusually, so that no layout can be learned from it.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=lambda: {"features": [], "label": []})
    skipped: list[Span] = field(default_factory=list)
    steps: list[Step] | None = field(default_factory=list)


def parse(data: bytes) -> Message:
    """Find the tensors of a record: `features` and `label`, those that are there.

    Raises:
        Malformed: the bytes are not a Record.
    """
    walk = _Walk(data)
    walk.record()
    return walk.message


def delimiter(number: int) -> bytes:
    """What stands before the length of bytes, a string, packed numbers or a nested message."""
    return bytes([number << 3 | _DELIMITED])


def delimited(number: int, contents: bytes) -> bytes:
    """Such a field."""
    return delimiter(number) + varint(len(contents)) + contents


def entry(side: int, name: bytes, tensor: bytes) -> bytes:
    """One float32 tensor under a name, in `features` or `label`."""
    return delimited(side, delimited(1, name) + delimited(2, delimited(FLOAT32, tensor)))


class _Field(NamedTuple):
    number: int
    wire: int
    tag: bytes
    start: int
    stop: int


class _Walk:
    """Goes through a record once, noting where the numbers lie and which steps led there."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.message = Message()
        self.fields_left = _MOST_FIELDS

    def record(self) -> None:
        for item in self._fields(0, len(self.data)):
            side = _SIDES.get(item.number)
            if side and item.wire == _DELIMITED:
                self._entry(item, side)
            else:
                self._skip(item)

    def _entry(self, entry: _Field, side: str) -> None:
        parts = list(self._fields(entry.start, entry.stop))
        keys = [part for part in parts if (part.number, part.wire) == (1, _DELIMITED)]
        name = self.data[keys[-1].start : keys[-1].stop] if keys else b""
        self._note(Step("open", entry.tag), Step("literal", delimited(1, name)))
        if [part.number for part in parts] != [1, 2]:
            self.message.steps = None
        self.message.names[side].append(name.decode(errors="replace"))
        tensor = Tensor()
        for part in parts:
            if name == KEY and (part.number, part.wire) == (2, _DELIMITED):
                tensor = self._value(part, tensor, side)
            elif part not in keys:
                self._skip(part)
        if name == KEY:
            if side in self.message.tensors:
                self.message.steps = None
            self.message.tensors[side] = tensor
        self._note(Step("close"))

    def _value(self, value: _Field, tensor: Tensor, side: str) -> Tensor:
        self._note(Step("open", value.tag))
        for item in self._fields(value.start, value.stop):
            if item.number in _LOOSE and item.wire == _DELIMITED:
                # The last member of a oneof counts, and one that comes again goes on
                tensor = tensor if tensor.kind == item.number else Tensor(item.number)
                self._tensor(item, tensor, side)
            else:
                tensor = Tensor(BYTES) if item.number == BYTES else tensor
                self._skip(item)
        self._note(Step("close"))
        return tensor

    def _tensor(self, value: _Field, tensor: Tensor, side: str) -> None:
        self._note(Step("open", value.tag))
        for item in self._fields(value.start, value.stop):
            slot = _SLOTS.get(item.number, "")
            loose = _LOOSE[tensor.kind] if item.number == VALUES else _VARINT
            if not slot or item.wire not in {_DELIMITED, loose}:
                self._skip(item)
                continue
            spans: list[Span] = getattr(tensor, slot)
            spans.append((item.start, item.stop))
            self._note(Step("take", item.tag, f"{side} {slot}"))
            if item.wire != _DELIMITED or len(spans) > 1:
                self.message.steps = None
        self._note(Step("close"))

    def _skip(self, item: _Field) -> None:
        if item.wire == _DELIMITED:
            self._note(Step("take", item.tag))
            self.message.skipped.append((item.start, item.stop))
        else:
            self.message.steps = None

    def _note(self, *steps: Step) -> None:
        if self.message.steps is not None:
            self.message.steps.extend(steps)

    def _fields(self, start: int, stop: int) -> Iterator[_Field]:
        while start < stop:
            key, after = self._varint(start, stop)
            number, wire, begin = key >> 3, key & 7, after
            if wire == _DELIMITED:
                length, begin = self._varint(after, stop)
                end = begin + length
            elif wire == _VARINT:
                _, end = self._varint(after, stop)
            elif wire in _FIXED_SIZES:
                end = after + _FIXED_SIZES[wire]
            else:
                raise Malformed(start, f"a field of wire type {wire} has no place in a record")
            if not number:
                raise Malformed(start, "a field is numbered 0")
            if end > stop:
                raise Malformed(start, f"a field of {end - begin:,} bytes runs past its end")
            self.fields_left -= 1
            if self.fields_left < 0:
                raise Malformed(start, f"there are more than {_MOST_FIELDS:,} fields")
            yield _Field(number, wire, self.data[start:after], begin, end)
            start = end

    def _varint(self, start: int, stop: int) -> tuple[int, int]:
        number = shift = 0
        for at in range(start, min(stop, start + LONGEST_VARINT)):
            number |= (self.data[at] & 0x7F) << shift
            if self.data[at] < 0x80:
                return number & 0xFFFFFFFFFFFFFFFF, at + 1
            shift += 7
        if stop - start < LONGEST_VARINT:
            raise Malformed(start, "an integer is cut off")
        raise Malformed(start, f"an integer is longer than {LONGEST_VARINT} bytes")
