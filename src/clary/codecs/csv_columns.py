"""CSV whose columns are not numbers: text and addresses.

As in the CSV of numbers, blocks of lines go to pyarrow, and one that it refuses, or whose values
break a rule, is read again line by line, which finds what is wrong and where.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import BinaryIO

import pyarrow as pa
from pyarrow import csv as arrow_csv

from clary.codecs import columns, lines
from clary.codecs.batch import Batch
from clary.codecs.lines import Block
from clary.codecs.rows import RowFault
from clary.errors import CallerError
from clary.spec.columns import Column

_DELIMITERS = (b",", b"\t", b";", b"|")
_BLANK_BEFORE_QUOTE = (b' "', b'\t"')
_DIGIT = re.compile(r"\d")
_HEADER = "This looks like a header line; SageMaker's CSV has none: remove it (tail -n +2)."


def rows(blocks: Iterator[Block], name: str, wanted: Sequence[Column]) -> Iterator[Batch]:
    """The rows of blocks of lines; blank lines are passed over.

    Raises:
        CallerError: names `name`, the line and the column (both from 1).
    """
    for first in blocks:
        line = next(first.lines(), None)
        if line:
            delimiter = next((each for each in _DELIMITERS if each in line[1]), b",")
            work = partial(_decoded, delimiter=delimiter.decode(), name=name, wanted=wanted)
            found = lines.ordered(work, chain([first], blocks))
            yield from (batch for batch in found if batch.rows)


def write(batches: Iterable[Batch], out: BinaryIO) -> None:
    """Write the columns, with quotes where they are needed."""
    for batch in batches:
        text = io.StringIO()
        values = (column.to_pylist() for column in batch.columns())
        csv.writer(text, lineterminator="\n").writerows(zip(*values, strict=True))
        out.write(text.getvalue().encode())


def _decoded(block: Block, delimiter: str, name: str, wanted: Sequence[Column]) -> Batch:
    found = _fast(block, delimiter, wanted)
    if found is not None:
        return found
    numbered = list(block.lines())
    fields = [_fields(line, number, delimiter, name, wanted) for number, line in numbered]
    values = [pa.array([row[at] for row in fields], pa.string()) for at in range(len(wanted))]
    try:
        return columns.batch_of(values, wanted)
    except RowFault as fault:
        number, _ = numbered[fault.row]
        if number == 1 and fault.got and not _DIGIT.search("".join(fields[fault.row])):
            fault.remedy = _HEADER
        raise fault.caller_error(f"{name}, line {number}") from None


def _fast(block: Block, delimiter: str, wanted: Sequence[Column]) -> Batch | None:
    """The rows by pyarrow, or None where the block needs a closer look."""
    data = block.data
    if data.isspace() or any(sign in data for sign in _BLANK_BEFORE_QUOTE):
        return None
    names = [column.name for column in wanted]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
            arrow_csv.ParseOptions(delimiter=delimiter),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
        [found] = table.to_batches()
        return columns.batch_of(found.columns, wanted)
    except (pa.ArrowInvalid, RowFault):
        return None


def _fields(
    line: bytes, number: int, delimiter: str, name: str, wanted: Sequence[Column]
) -> list[str]:
    """The fields of a line, which must be as many as the columns.

    Raises:
        CallerError: they are not, or the line is no text.
    """
    place = f"{name}, line {number}"
    try:
        text = line.decode()
        # Without strict, blanks may follow a quote, and a quote left open is no error
        even = text.count('"') % 2 == 0
        [fields] = csv.reader([text], delimiter=delimiter, skipinitialspace=True, strict=not even)
    except UnicodeDecodeError as fault:
        raise CallerError.of(place, "must be text in UTF-8", repr(line[:24]), str(fault)) from None
    except (csv.Error, ValueError):
        raise CallerError.of(
            place, "must have whole fields", text, "Is a quote left open?"
        ) from None
    if len(fields) != len(wanted):
        counted = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        remedy = "A field with a delimiter in it needs quotes." if len(fields) > len(wanted) else ""
        raise CallerError.of(place, f"must have {columns.named(wanted)}", counted, remedy)
    return fields
