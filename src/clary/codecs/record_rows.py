"""From the numbers' places in a buffer to rows."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from clary.codecs.batch import Batch, Features, Floats
from clary.codecs.record_layout import SLOTS, Table
from clary.codecs.record_proto import INT32, NUMBER_BYTES
from clary.codecs.rows import RowFault, RowRules, sparse_rows
from clary.codecs.varints import Bytes, Integers, Malformed, as_int32, varints

_NO_SHAPE = -1
# Spans this short are gathered faster by their bytes' positions
_SHORT_BYTES = 8
_HUGE = 1 << 62


def batch(block: bytes, table: Table, rules: RowRules) -> Batch:
    """The rows of a table: dense if all are, else CSR.

    Raises:
        RowFault: one of them breaks a rule.
    """
    return Batch(_features(block, table, rules), _label(block, table, rules))


def _features(block: bytes, table: Table, rules: RowRules) -> Features:
    values, counts = _numbers(block, table, "features")
    keys, key_counts = _integers(block, _spans(table, "features keys"))
    shapes = _shapes(block, _spans(table, "features shape"))
    has_shape = shapes != _NO_SHAPE
    # An all-zero sparse row has no entries but a shape
    is_sparse = (key_counts > 0) | (has_shape & (counts == 0))
    _check_sparse(is_sparse, has_shape, counts, key_counts)
    widths = np.where(has_shape, shapes, counts)
    rules.check_widths(widths)
    _check_dense(is_sparse, counts, widths)
    width = int(widths[0])
    if not is_sparse.any():
        features = values.reshape(len(counts), width)
        rules.check_features(features)
        return features
    if not is_sparse.all():
        keys = _with_dense_keys(keys, counts, is_sparse, width)
    sparse = sparse_rows(keys, values, counts, width)
    rules.check_sparse(sparse)
    return sparse


def _label(block: bytes, table: Table, rules: RowRules) -> Floats | None:
    if not rules.wants_label:
        return None
    keys = _spans(table, "label keys")
    if (keyed := keys[:, 1] > keys[:, 0]).any():
        raise RowFault(int(np.argmax(keyed)), "must be dense", "one with keys", "label")
    values, counts = _numbers(block, table, "label")
    rules.check_label_sizes(counts)
    if not counts[0]:
        return None
    labels = values.reshape(len(counts), counts[0])
    rules.check_labels(labels)
    return labels if counts[0] > 1 else labels.ravel()


def _check_sparse(
    is_sparse: npt.NDArray[np.bool_],
    has_shape: npt.NDArray[np.bool_],
    counts: Integers,
    key_counts: Integers,
) -> None:
    if (shapeless := is_sparse & ~has_shape).any():
        raise RowFault(int(np.argmax(shapeless)), "must have a shape, as it has keys", "none")
    if (uneven := is_sparse & (counts != key_counts)).any():
        row = int(np.argmax(uneven))
        raise RowFault(row, f"must have as many values as keys, {key_counts[row]:,}", counts[row])


def _check_dense(is_sparse: npt.NDArray[np.bool_], counts: Integers, widths: Integers) -> None:
    if (uneven := ~is_sparse & (counts != widths)).any():
        row = int(np.argmax(uneven))
        rule = f"must have as many values as its shape says, {widths[row]:,}"
        raise RowFault(row, rule, counts[row])


def _with_dense_keys(
    keys: npt.NDArray[np.uint64], counts: Integers, is_sparse: npt.NDArray[np.bool_], width: int
) -> npt.NDArray[np.uint64]:
    """The keys with all columns put in for dense rows, whose zeros are values like any other."""
    whole = np.empty(counts.sum(), np.uint64)
    sparse_entries = np.repeat(is_sparse, counts)
    whole[sparse_entries] = keys
    whole[~sparse_entries] = np.tile(np.arange(width, dtype=np.uint64), int((~is_sparse).sum()))
    return whole


def _numbers(block: bytes, table: Table, side: str) -> tuple[Floats, Integers]:
    """All values of a side as float32, row after row, and how many each row has."""
    kinds = table.kinds[:, 0 if side == "features" else 1]
    spans = _spans(table, f"{side} values")
    present = np.unique(kinds)
    if len(present) == 1:
        return _numbers_of(int(present[0]), block, spans)
    counts = np.zeros(len(kinds), np.int64)
    parts = {}
    for kind in present:
        chosen = np.flatnonzero(kinds == kind)
        try:
            parts[kind], counts[chosen] = _numbers_of(int(kind), block, spans[chosen])
        except RowFault as fault:
            fault.row = int(chosen[fault.row])
            raise
    values = np.empty(counts.sum(), np.float32)
    of_kind = np.repeat(kinds, counts)
    for kind, part in parts.items():
        values[of_kind == kind] = part
    return values, counts


def _numbers_of(kind: int, block: bytes, spans: Integers) -> tuple[Floats, Integers]:
    if kind == INT32:
        integers, counts = _integers(block, spans)
        return as_int32(integers).astype(np.float32), counts
    if not kind:
        return np.empty(0, np.float32), np.zeros(len(spans), np.int64)
    counts, rest = np.divmod(spans[:, 1] - spans[:, 0], NUMBER_BYTES[kind])
    if rest.any():
        rule = f"must have values of {NUMBER_BYTES[kind]} bytes each"
        row = int(np.argmax(rest > 0))
        raise RowFault(row, rule, f"{spans[row, 1] - spans[row, 0]:,} bytes")
    numbers = np.frombuffer(_joined(block, spans), f"<f{NUMBER_BYTES[kind]}")
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32), counts


def _integers(block: bytes, spans: Integers) -> tuple[npt.NDArray[np.uint64], Integers]:
    """The packed integers of all rows, row after row, and how many each row has."""
    lengths = spans[:, 1] - spans[:, 0]
    if not lengths.any():
        return np.empty(0, np.uint64), np.zeros(len(spans), np.int64)
    packed = np.frombuffer(_joined(block, spans), np.uint8)
    bounds = np.cumsum(lengths)
    cut_off = (lengths > 0) & (packed[np.maximum(bounds, 1) - 1] >= 0x80)
    if cut_off.any():
        raise RowFault(int(np.argmax(cut_off)), "must hold whole integers", "one that is cut off")
    try:
        numbers, ends = varints(packed)
    except Malformed as fault:
        row = int(np.searchsorted(bounds, fault.offset, side="right"))
        raise RowFault(row, "must hold integers of at most 64 bits", "a longer one") from None
    return numbers, np.diff(np.searchsorted(ends, bounds), prepend=0)


def _shapes(block: bytes, spans: Integers) -> Integers:
    """Number of entries that each row's shape allows, `_NO_SHAPE` where it has none."""
    sizes, counts = _integers(block, spans)
    sizes = np.minimum(sizes, np.uint64(_HUGE))
    if (counts == 1).all():
        return sizes.astype(np.int64)
    products = np.full(len(counts), _NO_SHAPE, np.int64)
    ends = np.cumsum(counts)
    for row in np.flatnonzero(counts):
        product = math.prod(sizes[ends[row] - counts[row] : ends[row]].tolist())
        products[row] = min(product, _HUGE)
    return products


def _joined(block: bytes, spans: Integers) -> bytes:
    starts, stops = spans[:, 0], spans[:, 1]
    length = int(stops[0] - starts[0])
    if length <= _SHORT_BYTES and ((stops - starts) == length).all():
        gathered: Bytes = np.frombuffer(block, np.uint8)[starts[:, None] + np.arange(length)]
        return gathered.tobytes()
    pairs = zip(starts.tolist(), stops.tolist(), strict=True)
    return b"".join([block[start:stop] for start, stop in pairs])


def _spans(table: Table, slot: str) -> Integers:
    return table.spans[:, SLOTS.index(slot)]
