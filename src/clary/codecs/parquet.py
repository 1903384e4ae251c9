"""Parquet: label columns first, then features, as columns of numbers or as lists of them.

Row groups are read in pieces; a stream that cannot be searched is put in a temporary file first.
"""

from __future__ import annotations

import errno
import gzip
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import groupby, islice
from typing import IO, Any, BinaryIO, TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clary.codecs.batch import Batch, Floats, concatenate
from clary.codecs.parquet_columns import ColumnTable
from clary.codecs.reading import Reading
from clary.codecs.rows import sound
from clary.codecs.tables import batch_of, first_wrong, peeked, tabular
from clary.errors import CallerError

Result = TypeVar("Result")

_PIECE_BYTES = 4 << 20
_MOST_ROWS = 1 << 16
_GROUP_BYTES = 32 << 20
# Without it a column of a whole row group is in memory at once
_BUFFER_BYTES = 1 << 16
_MAGIC = b"PAR1"
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def decode(stream: BinaryIO, name: str, reading: Reading) -> Iterator[Batch]:
    """The rows of a file, in blocks of some MiB.

    Columns hold numbers, booleans, or lists of numbers, all of one length; null is a missing value.

    Raises:
        CallerError: names `name`, and the row (from 1) and the column where there is one.
    """
    with _searchable(stream, name) as source:
        if source is None:
            return
        file = _read(lambda: pq.ParquetFile(source, buffer_size=_BUFFER_BYTES), name)
        if not file.metadata.num_rows:
            return
        table = _table(_read(lambda: file.schema_arrow.names, name), name, reading)
        step = min(_MOST_ROWS, max(1, _PIECE_BYTES // _read(lambda: _row_bytes(file), name)))
        pieces = _read(lambda: file.iter_batches(step), name)
        while (piece := _read(lambda: next(pieces, None), name)) is not None:
            if piece.num_rows:
                yield _read(partial(table.batch, piece), name)


def encode(batches: Iterable[Batch], out: BinaryIO) -> None:
    """Write a file with the columns label (label_0, …), weight, f0, f1, …, all float32.

    Raises:
        CallerError: rows have extras, for which there is no place, or not all one width.
    """
    writer: Any = None
    first, batches = peeked(batches)
    are_columns = first is not None and first.has_columns
    for group in batches if are_columns else _groups(tabular(batches, "application/x-parquet")):
        table = _arrow_table(group)
        writer = writer or pq.ParquetWriter(out, table.schema)
        writer.write_table(table)
    if writer is None:
        raise CallerError.of("application/x-parquet", "must have at least one row")
    writer.close()


def _table(names: list[str], name: str, reading: Reading) -> _Table | ColumnTable:
    if reading.columns:
        return ColumnTable(names, name, reading.columns)
    return _Table(names, name, reading)


class _Table:
    """The columns of one file, and what its first row settles."""

    def __init__(self, names: list[str], name: str, reading: Reading) -> None:
        """Raises CallerError where the columns are not those that there must be."""
        self._names = names
        self._name = name
        self._reading = reading
        self._rows = 0
        self._lengths: dict[int, int] = {}
        self._check_columns()

    def batch(self, piece: Any) -> Batch:
        """The next rows, a pyarrow record batch of at least one.

        Raises:
            CallerError: names the first row and column that break a rule.
        """
        columns = [self._column(column, at) for at, column in enumerate(piece.columns)]
        size, lead = self._reading.label_size, self._reading.lead
        parts = map(_matrix, (columns[:size], columns[size:lead], columns[lead:]))
        batch = batch_of(parts, self._reading)
        self._check(batch, piece)
        self._rows += batch.rows
        return batch

    def _column(self, column: Any, at: int) -> Any:
        """A column of numbers as a float32 array of pyarrow's, of vectors as (rows, length)."""
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if _is_numeric(column.type):
            return column.cast(pa.float32(), safe=False)
        if not _is_list(column.type) or not _is_numeric(column.type.value_type):
            raise self._not_a_number(column, at)
        if at < self._reading.lead:
            raise self._fault(0, at, "must be a number, as labels and weights are", column)
        lengths = pc.list_value_length(column)
        length = self._lengths.setdefault(at, lengths[0].as_py() or 0)
        unequal = pc.fill_null(pc.not_equal(lengths, length), True)
        if length == 0 or pc.any(unequal).as_py():
            row = 0 if length == 0 else pc.index(unequal, True).as_py()
            rule = f"must have {length} numbers, as row 1 has" if length else "must have numbers"
            raise self._fault(row, at, rule, column)
        flat = column.flatten().cast(pa.float32(), safe=False)
        return flat.to_numpy(zero_copy_only=False).reshape(-1, length)

    def _check_columns(self) -> None:
        for column in self._names:
            if _PANDAS_INDEX.fullmatch(column):
                raise CallerError.of(
                    f"{self._name}, column {column!r}",
                    "is an index that pandas wrote",
                    remedy="Leave it out: to_parquet(index=False).",
                )
        if len(self._names) <= self._reading.lead:
            raise CallerError.of(
                self._name,
                f"must have features after {self._reading.lead_words}",
                _counted(len(self._names)),
                "If there is no label column, say application/x-parquet;label_size=0.",
            )

    def _check(self, batch: Batch, piece: Any) -> None:
        width = self._reading.width
        if width is not None and batch.width != width:
            after = f" after {self._reading.lead_words}" if self._reading.lead else ""
            raise CallerError.of(self._name, f"must have {width:,} features{after}", batch.width)
        if not sound(batch, self._reading.missing):
            row, place = first_wrong(batch, self._reading.missing)
            at = self._column_at(place)
            value = piece.column(at)[row].as_py()
            empty = value is None or value != value
            rule = "must not be missing" if empty else "must be a finite float32 number"
            raise self._fault(row, at, rule, piece.column(at))

    def _column_at(self, place: int) -> int:
        """The column in which a number stands, vectors being as many as they are long."""
        lengths = [self._lengths.get(at, 1) for at in range(len(self._names))]
        return int(np.searchsorted(np.cumsum(lengths), place, side="right"))

    def _not_a_number(self, column: Any, at: int) -> CallerError:
        row = max(0, pc.index(column.is_valid(), True).as_py())
        rule = f"must be a number, and the column is {column.type}"
        return self._fault(row, at, rule, column, _remedy(column.type))

    def _fault(self, row: int, at: int, rule: str, column: Any, remedy: str = "") -> CallerError:
        place = f"{self._name}, row {self._rows + row + 1}, column {self._names[at]!r}"
        value = column[row].as_py()
        return CallerError.of(place, rule, "null" if value is None else value, remedy)


def _matrix(columns: list[Any]) -> Floats:
    """Columns side by side, row-major; NaN for null."""
    parts: list[Floats] = []
    for are_vectors, run in groupby(columns, lambda column: isinstance(column, np.ndarray)):
        if are_vectors:
            parts.extend(run)
        else:
            numbers = list(run)
            rows = pa.RecordBatch.from_arrays(numbers, names=[""] * len(numbers))
            parts.append(rows.to_tensor(null_to_nan=True, row_major=True).to_numpy())
    return parts[0] if len(parts) == 1 else np.hstack(parts or [np.empty((0, 0), np.float32)])


def _is_numeric(kind: Any) -> bool:
    return any(
        known(kind)
        for known in (
            pa.types.is_floating,
            pa.types.is_integer,
            pa.types.is_boolean,
            pa.types.is_decimal,
            pa.types.is_null,
        )
    )


def _remedy(kind: Any) -> str:
    if pa.types.is_temporal(kind):
        return "Dates and times must become numbers, such as days since a fixed one."
    if pa.types.is_nested(kind):
        return "Features are numbers, or lists of numbers."
    return "Numbers must have a type of numbers; categories become numbers, or columns of 0 and 1."


def _counted(columns: int) -> str:
    return f"{columns:,} column" if columns == 1 else f"{columns:,} columns"


def _is_list(kind: Any) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _read(work: Callable[[], Result], name: str) -> Result:
    try:
        return work()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).split("\n")[0]
        raise CallerError.of(name, "cannot be read as Parquet", reason) from error


def _row_bytes(file: Any) -> int:
    """How long a row is in memory, which may be much more than it is in the file."""
    metadata = file.metadata
    first = sum(row.nbytes for row in islice(file.iter_batches(1), 1))
    # Columns are not asked: some damage there would end the process
    groups = range(metadata.num_row_groups)
    stored = sum(metadata.row_group(at).total_byte_size for at in groups)
    return int(max(1, 4 * metadata.num_columns, first, stored // metadata.num_rows))


@contextmanager
def _searchable(stream: BinaryIO, name: str) -> Iterator[BinaryIO | None]:
    """The stream, or a file with what is in it; None if that is nothing."""
    head = stream.read(len(_MAGIC))
    if head != _MAGIC:
        if head:
            got = head.decode("ascii", "backslashreplace")
            raise CallerError.of(name, "must begin with PAR1, as Parquet does", got)
        yield None
    # What is compressed can go back only by starting again
    elif stream.seekable() and not isinstance(stream, gzip.GzipFile):
        yield stream
    else:
        with _copied(head, stream, name) as file:
            yield cast(BinaryIO, file)


def _copied(head: bytes, stream: BinaryIO, name: str) -> IO[bytes]:
    """A temporary file with the head and the rest of a stream."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
    try:
        file.write(head)
        shutil.copyfileobj(stream, file, 1 << 20)
        file.flush()
    except OSError as error:
        # Closing writes what is left, in vain again
        with suppress(OSError):
            file.close()
        if error.errno != errno.ENOSPC:
            raise
        rule = f"must fit {tempfile.gettempdir()}, as Parquet is read from its end"
        raise CallerError.of(name, rule, "a full disk", "TMPDIR names another place.") from error
    return file


def _groups(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The rows as batches that are worth a row group, and fit memory when they are dense."""
    held: list[Batch] = []
    room = 0
    for batch in batches:
        most = max(1, _GROUP_BYTES // (4 * batch.width))
        start = 0
        while start < batch.rows:
            room = room or most
            held.append(batch.slice(start, start + room))
            start += held[-1].rows
            room -= held[-1].rows
            if not room:
                yield concatenate(held)
                held = []
    if held:
        yield concatenate(held)


def _arrow_table(batch: Batch) -> Any:
    if batch.has_columns:
        return pa.Table.from_batches([batch.features])
    columns: dict[str, Floats] = {}
    if batch.label is not None and batch.label.ndim == 1:
        columns["label"] = batch.label
    elif batch.label is not None:
        columns |= {f"label_{at}": values for at, values in enumerate(batch.label.T)}
    if batch.weights is not None:
        columns["weight"] = batch.weights
    columns |= {f"f{at}": values for at, values in enumerate(batch.dense().T)}
    return pa.table(columns)
