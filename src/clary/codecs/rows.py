"""The rules that the rows of one file keep, whatever its format."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from clary.codecs.batch import Batch, Floats
from clary.codecs.reading import Reading
from clary.errors import CallerError

# Column numbers of sparse rows are 32-bit
WIDEST = 2**31 - 1

_Integers = npt.NDArray[np.integer[Any]]


class RowFault(Exception):
    """A row breaks a rule. Decoders, who know where it stands, make a CallerError of it.

    row: counted from the first of the rows looked at.
    part: which part of the row, empty for all of it.
    """

    def __init__(self, row: int, rule: str, got: object, part: str = "", remedy: str = "") -> None:
        super().__init__(rule)
        self.row = row
        self.rule = rule
        self.got = got
        self.part = part
        self.remedy = remedy

    def caller_error(self, where: str) -> CallerError:
        """The fault as the user's; `where` says where the row stands."""
        thing = f"{where}, {self.part}" if self.part else where
        return CallerError.of(thing, self.rule, self.got, self.remedy)


class RowRules:
    """What the rows so far have settled: how many features and labels a row has.

    Every method raises RowFault for the first row that breaks its rule.
    """

    def __init__(self, reading: Reading) -> None:
        self.wants_label = reading.label_size > 0
        self.width = reading.width
        self.label_size: int | None = None
        self.missing = reading.missing
        self.columns = reading.columns
        self._like = "" if reading.width else " as the first row has"

    def check_widths(self, widths: _Integers) -> None:
        """Every row has the width, which the first one settles. widths: (rows,)."""
        if not len(widths):
            return
        if self.width is None:
            self._check_first(int(widths[0]))
            self.width = int(widths[0])
        if (row := _first(widths != self.width)) is not None:
            rule = f"must have {_counted(self.width, 'feature')}{self._like}"
            raise RowFault(row, rule, int(widths[row]))

    def check_label_sizes(self, sizes: _Integers) -> None:
        """Every row has as many labels as the first one, or none. sizes: (rows,)."""
        if not len(sizes):
            return
        if self.label_size is None:
            self.label_size = int(sizes[0])
        if (row := _first(sizes != self.label_size)) is not None:
            rule = f"must have {_counted(self.label_size, 'label')} as the first row has"
            raise RowFault(row, rule, int(sizes[row]))

    def check_features(self, values: Floats) -> None:
        """Dense features are numbers. values: (rows, width)."""
        if (found := self._not_a_number(values)) is not None:
            row, column = divmod(found, values.shape[1])
            self._refuse(row, f"feature {column}", values[row, column])

    def check_sparse(self, features: csr_array) -> None:
        """Sparse features are numbers."""
        if (found := self._not_a_number(features.data)) is not None:
            row = int(np.searchsorted(features.indptr, found, side="right")) - 1
            self._refuse(row, f"feature {features.indices[found]}", features.data[found])

    def check_labels(self, labels: Floats) -> None:
        """Labels are finite numbers. labels: (rows, label_size)."""
        finite = np.isfinite(labels)
        if not finite.all():
            row, column = divmod(int(np.argmin(finite)), labels.shape[1])
            part = "label" if labels.shape[1] == 1 else f"label {column}"
            raise RowFault(row, "must be a finite float32 number", labels[row, column], part)

    def _check_first(self, width: int) -> None:
        if width < 1:
            raise RowFault(0, "must have at least one feature", width)
        if width > WIDEST:
            raise RowFault(0, f"can have at most {WIDEST:,} features", width)

    def _not_a_number(self, values: Floats) -> int | None:
        finite = np.isfinite(values)
        if finite.all():
            return None
        return _first((np.isinf(values) if self.missing else ~finite).ravel())

    def _refuse(self, row: int, part: str, got: np.float32) -> None:
        remedy = "Missing values are not taken here." if np.isnan(got) else ""
        raise RowFault(row, "must be a finite float32 number", got, part, remedy)


def sound(batch: Batch, missing: bool) -> bool:
    """Whether all numbers are ones that they may be; the quick question before the exact one."""
    x = batch.features if isinstance(batch.features, np.ndarray) else batch.features.data
    lead = [part for part in (batch.label, batch.weights) if part is not None]
    return bool(
        (not np.isinf(x).any() if missing else np.isfinite(x).all())
        and all(np.isfinite(part).all() for part in lead)
        and (batch.weights is None or (batch.weights >= 0).all())
    )


def sparse_rows(
    keys: npt.NDArray[np.unsignedinteger[Any]], values: Floats, counts: _Integers, width: int
) -> csr_array:
    """Rows as CSR from the positions and numbers of their entries, row after row.

    Entries of a row may come in any order. An entry that is given twice is a fault, as formats do
    not say whether it replaces or adds.

    Args:
        keys, values: (entries,).
        counts: (rows,) entries of each row.

    Raises:
        RowFault: a key is not below the width or comes twice.
    """
    bounds = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=bounds[1:])
    if int(keys.max(initial=0)) >= width or not _rising(keys, bounds):
        keys, values = _sorted(keys, values, np.repeat(np.arange(len(counts)), counts), width)
    indices, bounds = keys.astype(np.int32), bounds.astype(np.int32)
    return csr_array((values, indices, bounds), shape=(len(counts), width))


def _rising(keys: npt.NDArray[np.unsignedinteger[Any]], bounds: _Integers) -> bool:
    """Whether each key is larger than the one before in its row."""
    rising = np.ones(len(keys) + 1, bool)
    np.greater(keys[1:], keys[:-1], out=rising[1:-1])
    rising[bounds] = True
    return bool(rising.all())


def _sorted(
    keys: npt.NDArray[np.unsignedinteger[Any]], values: Floats, rows: _Integers, width: int
) -> tuple[npt.NDArray[np.unsignedinteger[Any]], Floats]:
    """The entries in order, unless a row has a key that is none or comes twice."""
    if (beyond := _first(keys >= width)) is not None:
        raise RowFault(
            int(rows[beyond]), f"must be below {width:,}, the shape", keys[beyond], "key"
        )
    order = np.lexsort((keys, rows))
    keys, values = keys[order], values[order]
    same_row = rows[1:] == rows[:-1]
    if (twice := _first(same_row & (keys[1:] == keys[:-1]))) is not None:
        raise RowFault(int(rows[twice]), "must come once in a row", keys[twice], "key")
    return keys, values


def _first(wrong: npt.NDArray[np.bool_]) -> int | None:
    return int(np.argmax(wrong)) if wrong.any() else None


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
