"""Rows that are not numbers, in the forms that people hold them in, as batches of columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from clary.codecs import columns
from clary.codecs.batch import Batch
from clary.codecs.rows import RowFault
from clary.errors import CallerError
from clary.spec.columns import Column


def batch_of(rows: Any, wanted: Sequence[Column]) -> Batch:
    """The columns of a table (pandas, polars, pyarrow), or of an array or list of rows.

    Raises:
        CallerError: they are not as many as wanted, or a value is not what its column holds; names
            the row, from 0.
    """
    found = _columns(rows, wanted)
    if len(found) != len(wanted):
        raise CallerError.of("X", f"must have {columns.named(wanted)}", len(found))
    try:
        return columns.batch_of([texts(each) for each in found], wanted)
    except RowFault as fault:
        raise fault.caller_error(f"X, row {fault.row}") from None


def texts(values: Iterable[Any]) -> pa.Array:
    """Values as a column of strings; an absent one is empty."""
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        values = values.to_pylist()
    known = (None if value is None or value != value else str(value) for value in values)
    return pa.array([value or "" for value in known], pa.string())


def _columns(rows: Any, wanted: Sequence[Column]) -> list[Iterable[Any]]:
    if isinstance(rows, (pa.Table, pa.RecordBatch)):
        return list(rows.columns)
    if hasattr(rows, "get_columns"):
        return list(rows.get_columns())
    if hasattr(rows, "iloc"):
        return [rows.iloc[:, at] for at in range(rows.shape[1])] if rows.ndim == 2 else [rows]
    lists = rows.tolist() if isinstance(rows, np.ndarray) else list(rows)
    for number, row in enumerate(lists):
        if isinstance(row, str) or not isinstance(row, Sequence) or len(row) != len(wanted):
            raise CallerError.of(f"X, row {number}", f"must have {columns.named(wanted)}", row)
    return [[row[at] for row in lists] for at in range(len(wanted))]
