"""Parquet whose columns are not numbers: text and addresses, by position as in CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clary.codecs import columns
from clary.codecs.batch import Batch
from clary.codecs.rows import RowFault
from clary.errors import CallerError
from clary.spec.columns import Column


class ColumnTable:
    """The columns of one file; they may have other names than those wanted."""

    def __init__(self, names: list[str], name: str, wanted: Sequence[Column]) -> None:
        """
        Raises:
            CallerError: they are not as many as there must be.
        """
        if len(names) != len(wanted):
            remedy = "pandas writes an index unless told: to_parquet(index=False)."
            rule = f"must have {columns.named(wanted)}"
            raise CallerError.of(name, rule, ", ".join(names), remedy)
        self._name = name
        self._wanted = wanted
        self._rows = 0

    def batch(self, piece: Any) -> Batch:
        """The next rows, a pyarrow record batch.

        Raises:
            CallerError: names the first row and column that break a rule.
        """
        try:
            texts = [self._texts(column, at) for at, column in enumerate(piece.columns)]
            batch = columns.batch_of(texts, self._wanted)
        except RowFault as fault:
            where = f"{self._name}, row {self._rows + fault.row + 1}"
            raise fault.caller_error(where) from None
        self._rows += batch.rows
        return batch

    def _texts(self, column: Any, at: int) -> Any:
        """A column as strings; an absent value is an empty one."""
        kind = column.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        textual = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer)
        if not any(known(kind) for known in textual):
            part = f"column {at + 1} ({self._wanted[at].name})"
            raise RowFault(0, "must be strings", str(kind), part)
        return pc.fill_null(column.cast(pa.string()), "")
