"""CSV line by line: what a file's first line settles, and what counts as a number.

This reader says what the format means. It is as quick as any for a few rows; for many, `csv` has a
faster one, which comes back here with every block that it does not understand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from clary.codecs.batch import Batch, Floats
from clary.codecs.lines import Block, parse_number
from clary.codecs.reading import Reading
from clary.codecs.rows import sound
from clary.codecs.tables import batch_of, first_wrong

BLANK = b" "
_DELIMITERS = (b",", b"\t", b";", b"|", BLANK)
_QUOTED = re.compile(rb'"[^"]*"')
# Stands for a delimiter between quotes; no text holds it
_MASK = b"\0"
# What the lower bits of a double are that lies half way between two float32 numbers
_LOWER_BITS, _HALF_WAY = np.uint64(0x1FFFFFFF), np.uint64(0x10000000)


class LineFault(Exception):
    """A line breaks a rule; `csv_faults` says which, and why it might.

    line: without its end; number: from 1. column: from 0, or None where it is all of the line.
    """

    def __init__(self, number: int, line: bytes, column: int | None) -> None:
        super().__init__(number)
        self.number = number
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Layout:
    """What the first line that is not blank settles for all lines."""

    reading: Reading
    delimiter: bytes
    columns: int
    first: tuple[int, bytes]

    def fields(self, line: bytes) -> list[bytes]:
        """A line's fields; blanks around them, and quotes where all goes well, may be left."""
        if self.delimiter == BLANK:
            return line.split()
        if b'"' in line:
            return _quoted_fields(line, self.delimiter)
        return line.split(self.delimiter)


def layout_of(block: Block, reading: Reading) -> Layout | None:
    """The layout by the first line of a block; None if all are blank.

    The delimiter is a comma, and another character only where that line has none.
    """
    first = next(block.lines(), None)
    if first is None:
        return None
    delimiter = next((each for each in _DELIMITERS if each in first[1]), b",")
    layout = Layout(reading, delimiter, 0, first)
    return replace(layout, columns=len(layout.fields(first[1])))


def read(block: Block, layout: Layout) -> Batch:
    """The rows of a block; there may be none.

    Raises:
        LineFault: the first field, or line, that breaks a rule.
    """
    lines = list(block.lines())
    rows: list[list[float]] = []
    fault: LineFault | None = None
    for number, line in lines:
        try:
            rows.append(_values(line, number, layout))
        except LineFault as error:
            fault = error
            break
    values = _singles(rows, lines, layout)
    size, lead = layout.reading.label_size, layout.reading.lead
    parts = np.split(values, [size, lead], axis=1)
    batch = batch_of(map(np.ascontiguousarray, parts), layout.reading)
    if not sound(batch, layout.reading.missing):
        row, column = first_wrong(batch, layout.reading.missing)
        raise LineFault(*lines[row], column)
    if fault:
        raise fault
    return batch


def number_in(field: bytes) -> float:
    """The number that a field holds, NaN where it is empty.

    Raises:
        ValueError: it holds something else.
    """
    text = unquoted(field)
    return parse_number(text) if text else np.nan


def unquoted(field: bytes) -> bytes:
    """A field without blanks and a pair of quotes around it."""
    text = field.strip()
    return text[1:-1].strip() if len(text) > 1 and text[:1] == b'"' == text[-1:] else text


def _values(line: bytes, number: int, layout: Layout) -> list[float]:
    fields = layout.fields(line)
    if len(fields) != layout.columns:
        raise LineFault(number, line, None)
    try:
        if b"_" not in line:
            return list(map(float, fields))
    except ValueError:
        pass
    values = []
    for column, field in enumerate(fields):
        try:
            values.append(number_in(field))
        except ValueError:
            raise LineFault(number, line, column) from None
    return values


def _singles(rows: list[list[float]], lines: list[tuple[int, bytes]], layout: Layout) -> Floats:
    """The numbers as float32, each rounded once, as the reader of many rows does."""
    doubles = np.array(rows, np.float64).reshape(len(rows), layout.columns)
    with np.errstate(over="ignore"):
        singles = doubles.astype(np.float32)
    half_way = (doubles.view(np.uint64) & _LOWER_BITS) == _HALF_WAY
    for row, column in np.argwhere(half_way):
        text = unquoted(layout.fields(lines[row][1])[column]).decode()
        singles[row, column] = pa.scalar(text).cast(pa.float32()).as_py()
    return singles


def _quoted_fields(line: bytes, delimiter: bytes) -> list[bytes]:
    masked = _QUOTED.sub(lambda found: found[0].replace(delimiter, _MASK), line)
    return [field.replace(_MASK, delimiter) for field in masked.split(delimiter)]
