"""Rows as the texts of JSON instances."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as arrow

from clary.codecs.batch import Batch, Floats

_BLOCK_NUMBERS = 1 << 20


def texts(batch: Batch) -> Iterator[bytes]:
    """Each row as an instance, with its label if it has one.

    Numbers are the shortest that give the same float32; NaN becomes null, as JSON has no NaN.

    Raises:
        CallerError: rows have weights or more, for which there is no place.
    """
    batch.refuse_extras("JSON")
    if batch.has_columns:
        values = (column.to_pylist() for column in batch.columns())
        yield from (json.dumps({"features": row}).encode() for row in zip(*values, strict=True))
        return
    rows = max(1, _BLOCK_NUMBERS * batch.rows // max(1, batch.features.size))
    for start in range(0, batch.rows, rows):
        part = batch.slice(start, start + rows)
        features = _sparse(part) if part.is_sparse else _lists(part.dense())
        form = '"data": {{"features": {0}}}' if part.is_sparse else '"features": {0}'
        if part.label is None:
            yield from (f"{{{form.format(text)}}}".encode() for text in features)
            continue
        labels = _lists(part.label) if part.label.ndim > 1 else _numbers(part.label).to_pylist()
        for text, label in zip(features, labels, strict=True):
            yield f'{{{form.format(text)}, "label": {label}}}'.encode()


def _lists(rows: Floats) -> list[str]:
    bounds = np.arange(0, rows.size + 1, rows.shape[1])
    return _joined(_numbers(rows.ravel()), bounds)


def _sparse(batch: Batch) -> list[str]:
    features = batch.sparse()
    keys = _joined(pa.array(features.indices).cast(pa.string()), features.indptr)
    values = _joined(_numbers(features.data), features.indptr)
    middle = f', "shape": [{batch.width}], "values": '
    return [f'{{"keys": {key}{middle}{value}}}' for key, value in zip(keys, values, strict=True)]


def _numbers(values: Floats) -> pa.StringArray:
    known = pa.array(values, mask=np.isnan(values))
    return arrow.fill_null(known.cast(pa.string()), "null")


def _joined(numbers: pa.StringArray, bounds: npt.NDArray[np.integer]) -> list[str]:
    rows = pa.ListArray.from_arrays(pa.array(bounds, pa.int32()), numbers)
    return [f"[{text}]" for text in arrow.binary_join(rows, ", ").to_pylist()]
