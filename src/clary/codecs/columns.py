"""The rules of rows that are not numbers, whatever the format: columns of text and addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clary.codecs import addresses
from clary.codecs.batch import Batch
from clary.codecs.rows import RowFault
from clary.spec.columns import Column

_OCTETS = re.compile(r"\d+(\.\d+){3}")
_WITH_PORT = re.compile(r"\[?[\da-fA-F:.]+\]?:\d+|[\d.]+/\d+|[\da-fA-F:]+/\d+")


def batch_of(values: Sequence[pa.Array], columns: Sequence[Column]) -> Batch:
    """The rows of columns of strings, blanks around them taken away.

    Raises:
        RowFault: the first row with a value that its column cannot have.
    """
    trimmed = [pc.ascii_trim_whitespace(each) for each in values]
    wrong = [_first_wrong(each, column) for each, column in zip(trimmed, columns, strict=True)]
    rows = [row for row in wrong if row is not None]
    if rows:
        place = wrong.index(min(rows))
        value = trimmed[place][min(rows)].as_py()
        raise _fault(
            min(rows), columns, place, value, [each[min(rows)].as_py() for each in trimmed]
        )
    return Batch(pa.RecordBatch.from_arrays(trimmed, names=[column.name for column in columns]))


def named(columns: Sequence[Column]) -> str:
    """The columns in words: `2 columns (entity, ip)`."""
    return f"{len(columns)} columns ({', '.join(column.name for column in columns)})"


def _first_wrong(values: pa.Array, column: Column) -> int | None:
    if column.kind == "address":
        wrong = addresses.parsed(values).family == addresses.MALFORMED
    else:
        wrong = pc.equal(pc.binary_length(values), 0).to_numpy(zero_copy_only=False)
    return int(np.argmax(wrong)) if wrong.any() else None


def _fault(
    row: int, columns: Sequence[Column], place: int, value: str, values: Sequence[str]
) -> RowFault:
    column = columns[place]
    part = f"column {place + 1} ({column.name})"
    if column.kind == "text":
        return RowFault(row, "must not be empty", value, part, "Fill it in, or leave the row out.")
    rule = "must be an IPv4 or IPv6 address"
    return RowFault(row, rule, value, part, _remedy(columns, place, value, values))


def _remedy(columns: Sequence[Column], place: int, value: str, values: Sequence[str]) -> str:
    others = [at for at, column in enumerate(columns) if column.kind != columns[place].kind]
    if any(addresses.is_address(values[at]) for at in others):
        return f"The columns are {', '.join(column.name for column in columns)}, in this order."
    if _OCTETS.fullmatch(value):
        return "Each of the four numbers is at most 255, without leading zeros."
    if _WITH_PORT.fullmatch(value):
        return "Leave out the port or the length of the prefix."
    if not value:
        return "Fill it in, or leave the row out."
    return f"For example {columns[place].example}."
