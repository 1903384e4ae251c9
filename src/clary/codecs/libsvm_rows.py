"""libsvm line by line: what a file's first line settles, what counts as a row, what is wrong.

This reader says what the format means. It is as quick as any for a few rows; for many, `libsvm` has
a faster one, which comes back here with every block that it does not understand.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from clary.codecs.batch import Batch, Floats
from clary.codecs.lines import Block, parse_number
from clary.codecs.reading import Reading
from clary.codecs.rows import WIDEST
from clary.errors import CallerError

GROUP = b"qid:"
LARGEST_GROUP = 10**15
COMMENT = re.compile(rb"#[^\n]*")
# The smallest double that is rounded to an infinite float32
_INFINITE = 2.0**128 - 2.0**103


class Layout(NamedTuple):
    """What the first line with anything on it settles for all lines.

    line: its number.
    weighted: labels have weights, `label:weight`.
    grouped: rows have a `qid`.
    """

    reading: Reading
    line: int
    weighted: bool
    grouped: bool

    def batch(
        self, labels: Floats, weights: Floats, groups: npt.NDArray[np.int64], features: csr_array
    ) -> Batch:
        """A batch of parts, of which those count that the lines have."""
        return Batch(
            features=features,
            label=labels if self.reading.label_size else None,
            weights=weights if self.weighted else None,
            extras={"qid": groups} if self.grouped else {},
        )


@dataclass
class _Rows:
    labels: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    bounds: list[int] = field(default_factory=lambda: [0])


class _TokenFault(Exception):
    """A token, counted from 0, breaks a rule."""

    def __init__(self, token: int, rule: str, remedy: str = "") -> None:
        super().__init__(rule)
        self.token = token
        self.rule = rule
        self.remedy = remedy


def layout_of(block: Block, reading: Reading) -> Layout | None:
    """The layout by the first line with a token; None if there is none.

    A first token `a:b` is a label with its weight where labels are wanted, else a feature.
    """
    for number, line in block.lines():
        tokens = COMMENT.sub(b"", line).split()
        if tokens:
            weighted = reading.label_size > 0 and b":" in tokens[0]
            grouped = any(token.startswith(GROUP) for token in tokens[:2])
            return Layout(reading, number, weighted, grouped)
    return None


def read(block: Block, layout: Layout, name: str) -> Batch:
    """The rows of a block; there may be none.

    Raises:
        CallerError: the first offending token, with its line and the character where it starts.
    """
    rows = _Rows()
    for number, line in block.lines():
        tokens = COMMENT.sub(b"", line).split()
        try:
            if tokens:
                _take(tokens, layout, rows)
        except _TokenFault as fault:
            raise _explained(fault, name, number, block) from None
    width = layout.reading.width or max(rows.indices, default=0) + 1
    return layout.batch(
        np.array(rows.labels, np.float32),
        np.array(rows.weights, np.float32),
        np.array(rows.groups, np.int64),
        csr_array(
            (
                np.array(rows.values, np.float32),
                np.array(rows.indices, np.int32),
                np.array(rows.bounds, np.int32),
            ),
            shape=(len(rows.bounds) - 1, width),
        ),
    )


def _take(tokens: list[bytes], layout: Layout, rows: _Rows) -> None:
    """Add one row."""
    place = 0
    if layout.reading.label_size:
        _take_label(tokens[0], layout, rows)
        place = 1
    while not layout.reading.label_size and place < len(tokens) and b":" not in tokens[place]:
        place += 1
    if layout.grouped:
        rows.groups.append(_group(tokens, place, layout))
        place += 1
    pairs = [_pair(tokens, at, layout) for at in range(place, len(tokens))]
    indices = [index for index, _ in pairs]
    if any(later <= index for index, later in pairwise(indices)):
        pairs = _sorted(pairs, place, indices)
    rows.indices.extend(index for index, _ in pairs)
    rows.values.extend(value for _, value in pairs)
    rows.bounds.append(len(rows.indices))


def _take_label(token: bytes, layout: Layout, rows: _Rows) -> None:
    label, colon, weight = token.partition(b":")
    if bool(colon) != layout.weighted:
        rule = f"must be a label {'with' if layout.weighted else 'without'} a weight"
        raise _TokenFault(
            0,
            f"{rule}, as in line {layout.line}",
            "" if layout.weighted else "Does the line lack its label?",
        )
    rows.labels.append(_number(label, 0, "the label"))
    if colon:
        rows.weights.append(_number(weight, 0, "the label's weight"))
        if rows.weights[-1] < 0:
            raise _TokenFault(0, "must have a weight that is not negative")


def _group(tokens: list[bytes], place: int, layout: Layout) -> int:
    token = tokens[place] if place < len(tokens) else b""
    text = token.removeprefix(GROUP)
    if text == token:
        rule = f"must have a qid after the label, as line {layout.line} has"
        raise _TokenFault(min(place, len(tokens) - 1), rule)
    return _whole(text, place, LARGEST_GROUP, "the qid")


def _pair(tokens: list[bytes], place: int, layout: Layout) -> tuple[int, float]:
    text, colon, value = tokens[place].partition(b":")
    if not colon:
        raise _TokenFault(place, "must be index:value", _pair_remedy(tokens[place]))
    if text == b"qid":
        raise _TokenFault(place, f"must not be here: line {layout.line} has no qid after its label")
    index, width = _whole(text, place, WIDEST - 1, "the index"), layout.reading.width
    if width is not None and index >= width:
        raise _TokenFault(
            place,
            f"must have an index below {width:,}, the number of features",
            "Indices start at 0 here; if they start at 1, lower them." * (index == width),
        )
    number = _number(value, place, f"the value of {index}", layout.reading.missing)
    return index, number


def _whole(text: bytes, place: int, largest: int, what: str) -> int:
    number = _number(text, place, what)
    if not (0 <= number <= largest and number.is_integer()):
        raise _TokenFault(place, f"must have a whole number from 0 to {largest:,} as {what}")
    return int(number)


def _number(text: bytes, place: int, what: str, missing: bool = False) -> float:
    try:
        number = parse_number(text)
    except ValueError:
        rule = f"must have a number as {what}"
        remedy = _pair_remedy(text) if b"," in text or not text else ""
        raise _TokenFault(place, rule, remedy) from None
    if abs(number) >= _INFINITE or (math.isnan(number) and not missing):
        remedy = "Leave out what is missing." * math.isnan(number)
        raise _TokenFault(place, f"must have a finite float32 number as {what}", remedy)
    return number


def _sorted(
    pairs: list[tuple[int, float]], place: int, indices: list[int]
) -> list[tuple[int, float]]:
    seen: set[int] = set()
    for at, index in enumerate(indices):
        if index in seen:
            raise _TokenFault(place + at, "must not repeat an index of its line")
        seen.add(index)
    return sorted(pairs)


def _pair_remedy(token: bytes) -> str:
    return "Is this CSV?" if b"," in token else "Are there blanks round the colon?"


def _explained(fault: _TokenFault, name: str, number: int, block: Block) -> CallerError:
    line = block.data.split(b"\n")[number - block.number]
    token = list(re.finditer(rb"\S+", line))[fault.token]
    return CallerError.of(
        f"{name}, line {number}, character {token.start() + 1}",
        fault.rule,
        token[0].decode("utf-8", "backslashreplace"),
        fault.remedy,
    )
