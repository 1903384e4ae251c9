"""What CSV and Parquet share: columns of labels, then perhaps of weights, then of features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from clary.codecs.batch import Batch, Floats
from clary.codecs.reading import Reading
from clary.errors import CallerError

# A row of so many takes 4 MiB
_MOST_COLUMNS = 1 << 20


def batch_of(parts: Iterable[Floats], reading: Reading) -> Batch:
    """A batch of the labels, weights and features of a table, each (rows, its columns)."""
    label, weights, features = parts
    return Batch(
        features=features,
        label=label[:, 0] if reading.label_size == 1 else label if reading.label_size else None,
        weights=weights[:, 0] if reading.weights else None,
    )


def columns_of(batch: Batch) -> list[Floats]:
    """The parts of a table that a batch has, each (rows, its columns)."""
    parts = [batch.label, batch.weights, batch.dense()]
    return [part.reshape(batch.rows, -1) for part in parts if part is not None]


def first_wrong(batch: Batch, missing: bool) -> tuple[int, int]:
    """The first number that is not one that it may be, in rows that are not sound.

    Returns:
        Its row and its column, where label, weight and features stand side by side.
    """
    values = np.hstack(columns_of(batch))
    wrong = ~np.isfinite(values)
    if missing:
        wrong[:, -batch.width :] = np.isinf(batch.dense())
    if batch.weights is not None:
        wrong[:, -batch.width - 1] |= batch.weights < 0
    row, column = divmod(int(np.argmax(wrong)), wrong.shape[1])
    return row, column


def peeked(batches: Iterable[Batch]) -> tuple[Batch | None, Iterator[Batch]]:
    """The first of the batches, if there is one, and all of them."""
    rest = iter(batches)
    first = next(rest, None)
    return first, chain([first], rest) if first else rest


def tabular(batches: Iterable[Batch], format_name: str) -> Iterator[Batch]:
    """The batches, which must fit a table of label, weight and feature columns.

    Raises:
        CallerError: they have extras, not as many features as the first of them, or very many.
    """
    width: int | None = None
    for batch in batches:
        replace(batch, weights=None).refuse_extras(format_name)
        width = batch.width if width is None else width
        if width > _MOST_COLUMNS:
            rule = f"can have at most {_MOST_COLUMNS:,} features"
            raise CallerError.of(format_name, rule, width, "libsvm and RecordIO stay sparse.")
        if batch.width != width:
            raise CallerError.of(
                format_name,
                f"must have {width:,} features in every row, as in the first ones",
                batch.width,
                "Say how many features there are before reading rows that do not.",
            )
        yield batch
