"""Comma-separated text: one row a line, no header, label columns first.

Blocks of lines go to pyarrow on several threads. A block that it refuses, or whose numbers break a
rule, is read again line by line, which finds what is wrong and where.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from clary.codecs import csv_columns, csv_faults, csv_rows, lines
from clary.codecs.batch import Batch, Floats
from clary.codecs.csv_rows import BLANK, Layout, LineFault
from clary.codecs.lines import Block
from clary.codecs.reading import Reading
from clary.codecs.rows import sound
from clary.codecs.tables import batch_of, columns_of, peeked, tabular

# pyarrow's cost for each column of a block is that of reading about as many numbers one by one
_FEW_ROWS = 64
_ENCODED_NUMBERS = 1 << 20
_QUOTED_FIELD = re.compile(rb'"([^",;|\s][^",;|\t\n]*)"')
_ODD = (b"(", b'"')


def decode(stream: BinaryIO, name: str, reading: Reading) -> Iterator[Batch]:
    """The rows of a stream, in blocks of about a MiB of text; blank lines are passed over.

    Fields are separated by commas, or by tabs, semicolons, bars or blanks where the first line has
    no comma. Blanks and quotes around numbers are allowed. An empty field is a missing value.

    Raises:
        CallerError: names `name`, the line and the column (both from 1).
    """
    blocks = lines.blocks(stream, name)
    if reading.columns:
        yield from csv_columns.rows(blocks, name, reading.columns)
        return
    for first in blocks:
        layout = csv_rows.layout_of(first, reading)
        if layout:
            csv_faults.check_columns(layout, first, name)
            work = partial(_decoded, layout=layout, name=name)
            rows = lines.ordered(work, chain([first], blocks))
            yield from (batch for batch in rows if batch.rows)


def encode(batches: Iterable[Batch], out: BinaryIO) -> None:
    """Write label, weight and features; NaN as an empty field.

    Numbers are the shortest text that reads back as the same float32.

    Raises:
        CallerError: rows have extras, for which there is no place, or not all one width.
    """
    first, batches = peeked(batches)
    if first and first.has_columns:
        csv_columns.write(batches, out)
        return
    for batch in tabular(batches, "text/csv"):
        step = max(1, _ENCODED_NUMBERS // batch.width)
        for start in range(0, batch.rows, step):
            out.write(_text(batch.slice(start, start + step)))


def _decoded(block: Block, layout: Layout, name: str) -> Batch:
    if block.ends >= _FEW_ROWS:
        batch = _fast(block, layout)
        if batch:
            return batch
    try:
        return csv_rows.read(block, layout)
    except LineFault as fault:
        raise csv_faults.explained(fault, layout, block, name) from None


def _fast(block: Block, layout: Layout) -> Batch | None:
    """The rows by pyarrow, or None where the block needs a closer look."""
    data, delimiter = _plain(block.data, layout.delimiter)
    if any(sign in data for sign in _ODD):
        return None
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            arrow_csv.ReadOptions(
                column_names=_names(layout.columns), use_threads=False, block_size=len(data) + 1
            ),
            arrow_csv.ParseOptions(delimiter=delimiter, quote_char=False),
            _conversion(layout.columns),
        )
    except pa.ArrowInvalid:
        return None
    # One block of the reader's makes one batch
    [rows] = table.to_batches()
    size, lead = layout.reading.label_size, layout.reading.lead
    cuts = ((0, size), (size, lead), (lead, layout.columns))
    batch = batch_of([_matrix(rows, *cut) for cut in cuts], layout.reading)
    return batch if sound(batch, layout.reading.missing) else None


def _plain(data: bytes, delimiter: bytes) -> tuple[bytes, bytes]:
    """The text without quotes round numbers, and with one delimiter where there were blanks."""
    if b'"' in data:
        data = _QUOTED_FIELD.sub(rb"\1", data)
    if delimiter != BLANK:
        return data, delimiter
    return b"\n".join(b",".join(line.split()) for line in data.split(b"\n")), b","


def _matrix(rows: Any, start: int, stop: int) -> Floats:
    """Columns start to stop of a record batch, row-major; NaN for null."""
    if start == stop:
        return np.empty((rows.num_rows, 0), np.float32)
    columns = rows.select(range(start, stop))
    matrix: Floats = columns.to_tensor(null_to_nan=True, row_major=True).to_numpy()
    return matrix


@lru_cache(maxsize=8)
def _conversion(columns: int) -> Any:
    types = dict.fromkeys(_names(columns), pa.float32())
    return arrow_csv.ConvertOptions(column_types=types, null_values=[""])


@lru_cache(maxsize=8)
def _names(columns: int) -> list[str]:
    return [str(column) for column in range(columns)]


def _text(batch: Batch) -> bytes:
    """The rows as text. One column of numbers is written, then line feeds become commas."""
    values = np.hstack(columns_of(batch))
    # A line of one empty field would be a blank line
    column = pa.array(values.ravel(), from_pandas=values.shape[1] > 1)
    sink = pa.BufferOutputStream()
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="none")
    arrow_csv.write_csv(pa.table([column], names=["value"]), sink, options)
    text = np.frombuffer(sink.getvalue(), np.uint8).copy()
    ends = np.flatnonzero(text == ord("\n")).reshape(values.shape)
    text[ends[:, :-1]] = ord(",")
    return text.tobytes()
