"""Rows as records, many at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from clary.codecs.batch import Floats
from clary.codecs.record_frames import HEADER_BYTES, LONGEST, MAGIC, framed
from clary.codecs.record_proto import (
    FEATURES,
    FLOAT32,
    KEY,
    KEYS,
    LABEL,
    SHAPE,
    VALUES,
    delimited,
    delimiter,
    entry,
)
from clary.codecs.varints import Bytes, Integers, packed_varints, varint
from clary.errors import CallerError

_BLOCK_BYTES = 1 << 20
_BLOCK_ENTRIES = 1 << 16


def write_dense(out: BinaryIO, features: Floats | None, labels: Mapping[str, Floats]) -> None:
    """Write one record for each row.

    Args:
        features: (rows, width), or None for records without.
        labels: (rows,) or (rows, length) each, under their names.

    Raises:
        CallerError: the rows are too wide for records.
    """
    sides = [] if features is None else [(FEATURES, KEY, features)]
    sides += [(LABEL, key.encode(), x if x.ndim > 1 else x[:, None]) for key, x in labels.items()]
    message, holes = b"", []
    for side, key, values in sides:
        zeros = bytes(4 * values.shape[1])
        message += entry(side, key, delimited(VALUES, zeros))
        holes.append(HEADER_BYTES + len(message) - len(zeros))
    record = np.frombuffer(framed(message), np.uint8)
    rows = len(sides[0][2])
    block = np.tile(record, (min(rows, max(1, _BLOCK_BYTES // len(record))), 1))
    for start in range(0, rows, max(1, len(block))):
        part = block[: rows - start]
        for hole, (_, _, values) in zip(holes, sides, strict=True):
            numbers = np.ascontiguousarray(values[start : start + len(part)], "<f4")
            part[:, hole : hole + 4 * numbers.shape[1]] = numbers.view(np.uint8)
        out.write(part.data)


def write_sparse(out: BinaryIO, features: csr_array, label: Floats | None) -> None:
    """Write one record with keys and shape for each row; `label` as in a Batch.

    Raises:
        CallerError: a row has too many entries for a record.
    """
    start = 0
    while start < features.shape[0]:
        most = int(features.indptr[start]) + _BLOCK_ENTRIES
        stop = int(np.searchsorted(features.indptr, most, side="right")) - 1
        stop = min(max(stop, start + 1), start + _BLOCK_ENTRIES)
        out.write(
            _sparse_records(features[start:stop], None if label is None else label[start:stop])
        )
        start = stop


class _Piece(NamedTuple):
    """A part that every record has, of any length: the bytes row after row, and (rows,) lengths."""

    data: Bytes
    lengths: Integers


def _sparse_records(features: csr_array, label: Floats | None) -> bytes:
    rows = features.shape[0]
    packed, bounds = packed_varints(features.indices.astype(np.uint64))
    values = _Piece(features.data.astype("<f4").view(np.uint8), 4 * np.diff(features.indptr))
    keys = _Piece(packed, np.diff(bounds[features.indptr]))
    shape = delimited(SHAPE, varint(features.shape[1]))
    tensor = [*_delimited(VALUES, [values]), *_delimited(KEYS, [keys]), _same(shape, rows)]
    value = _delimited(2, _delimited(FLOAT32, tensor))
    message = _delimited(FEATURES, [_same(delimited(1, KEY), rows), *value])
    if label is not None:
        message.append(_label_entries(label))
    return _joined(_framed(message))


def _label_entries(label: Floats) -> _Piece:
    numbers = label.astype("<f4").reshape(len(label), -1).view(np.uint8)
    same = entry(LABEL, KEY, delimited(VALUES, bytes(numbers.shape[1])))
    entries = _same(same, len(label))
    entries.data.reshape(len(label), len(same))[:, -numbers.shape[1] :] = numbers
    return entries


def _framed(message: list[_Piece]) -> list[_Piece]:
    lengths = _lengths(message)
    if lengths.max(initial=0) > LONGEST:
        raise CallerError.of("a row", f"can take at most {LONGEST:,} bytes as a record")
    header = np.column_stack([np.full(len(lengths), MAGIC), lengths]).astype("<u4")
    padding = -lengths % 4
    return [
        _Piece(header.ravel().view(np.uint8), np.full(len(lengths), HEADER_BYTES)),
        *message,
        _Piece(np.zeros(padding.sum(), np.uint8), padding),
    ]


def _delimited(number: int, contents: list[_Piece]) -> list[_Piece]:
    """The field of each row with its length in front; none where it is empty."""
    lengths = _lengths(contents)
    there = lengths > 0
    packed, bounds = packed_varints(lengths[there].astype(np.uint64))
    sizes = np.zeros(len(lengths), np.int64)
    sizes[there] = np.diff(bounds)
    tags = _same(delimiter(number), int(there.sum())).data
    return [_Piece(tags, there.astype(np.int64)), _Piece(packed, sizes), *contents]


def _same(data: bytes, rows: int) -> _Piece:
    return _Piece(np.tile(np.frombuffer(data, np.uint8), rows), np.full(rows, len(data)))


def _lengths(pieces: list[_Piece]) -> Integers:
    total: Integers = np.sum([piece.lengths for piece in pieces], axis=0)
    return total


def _joined(pieces: list[_Piece]) -> bytes:
    """All pieces of the first row, then all of the second, …"""
    lengths = _lengths(pieces)
    joined = np.empty(lengths.sum(), np.uint8)
    at = np.cumsum(lengths) - lengths
    for data, sizes in pieces:
        moved = at - (np.cumsum(sizes) - sizes)
        joined[np.repeat(moved, sizes) + np.arange(len(data))] = data
        at = at + sizes
    return joined.tobytes()
