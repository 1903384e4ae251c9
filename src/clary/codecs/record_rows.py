"""From the numbers' places in a buffer to rows."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clary.codecs.batch import Batch, Features, Floats
from clary.codecs.record_layout import SIDES, SLOTS, Table
from clary.codecs.record_proto import INT32, NUMBER_BYTES
from clary.codecs.rows import RowFault, RowRules, sparse_rows
from clary.codecs.varints import Bytes, Integers, Malformed, Unsigned, as_int32, varints

_NO_SHAPE = -1
# Spans of one such length are gathered faster as items of an array
_SHORT_BYTES = 16
_HUGE = 1 << 62


def batch(block: Bytes, table: Table, rules: RowRules) -> Batch:
    """The rows of a table: dense if all are, else CSR.

    Raises:
        RowFault: one of them breaks a rule.
    """
    return Batch(_features(block, table, rules), _label(block, table, rules))


def _features(block: Bytes, table: Table, rules: RowRules) -> Features:
    values, counts = _numbers(block, table, "features")
    keys, key_counts = _integers(block, _spans(table, "features keys"), counts)
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


def _label(block: Bytes, table: Table, rules: RowRules) -> Floats | None:
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
    keys: Unsigned, counts: Integers, is_sparse: npt.NDArray[np.bool_], width: int
) -> Unsigned:
    """The keys with all columns put in for dense rows, whose zeros are values like any other."""
    whole = np.empty(counts.sum(), np.uint64)
    sparse_entries = np.repeat(is_sparse, counts)
    whole[sparse_entries] = keys
    whole[~sparse_entries] = np.tile(np.arange(width, dtype=np.uint64), int((~is_sparse).sum()))
    return whole


def _numbers(block: Bytes, table: Table, side: str) -> tuple[Floats, Integers]:
    """All values of a side as float32, row after row, and how many each row has."""
    kinds = table.kinds[SIDES.index(side)]
    spans = _spans(table, f"{side} values")
    if (kinds == kinds[0]).all():
        return _numbers_of(int(kinds[0]), block, spans)
    counts = np.zeros(len(kinds), np.int64)
    parts = {}
    for kind in np.unique(kinds):
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


def _numbers_of(kind: int, block: Bytes, spans: Integers) -> tuple[Floats, Integers]:
    if kind == INT32:
        integers, counts = _integers(block, spans)
        return as_int32(integers).astype(np.float32), counts
    if not kind:
        return np.empty(0, np.float32), np.zeros(len(spans), np.int64)
    lengths = spans[:, 1] - spans[:, 0]
    counts = lengths // NUMBER_BYTES[kind]
    if (rest := lengths - counts * NUMBER_BYTES[kind]).any():
        rule = f"must have values of {NUMBER_BYTES[kind]} bytes each"
        row = int(np.argmax(rest > 0))
        raise RowFault(row, rule, f"{spans[row, 1] - spans[row, 0]:,} bytes")
    numbers = _joined(block, spans).view(f"<f{NUMBER_BYTES[kind]}")
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32, copy=False), counts


def _integers(
    block: Bytes, spans: Integers, expected: Integers | None = None
) -> tuple[Unsigned, Integers]:
    """The packed integers of all rows, row after row, and how many each row has.

    expected: how many they likely have, which is quicker to confirm than to find out.
    """
    lengths = spans[:, 1] - spans[:, 0]
    if not lengths.any():
        return np.empty(0, np.uint8), np.zeros(len(spans), np.int64)
    packed = _joined(block, spans)
    bounds = np.cumsum(lengths)
    try:
        numbers, ends = varints(packed)
    except Malformed as fault:
        _refuse_cut_off(packed, bounds, lengths)
        row = int(np.searchsorted(bounds, fault.offset, side="right"))
        raise RowFault(row, "must hold integers of at most 64 bits", "a longer one") from None
    if expected is not None and _ends_are(ends, bounds, expected):
        return numbers, expected
    _refuse_cut_off(packed, bounds, lengths)
    return numbers, np.diff(np.searchsorted(ends, bounds), prepend=0)


def _refuse_cut_off(packed: Bytes, bounds: Integers, lengths: Integers) -> None:
    """Every row ends with an integer, which otherwise would go on in the next row."""
    cut_off = (lengths > 0) & (packed[np.maximum(bounds, 1) - 1] >= 0x80)
    if cut_off.any():
        raise RowFault(int(np.argmax(cut_off)), "must hold whole integers", "one that is cut off")


def _ends_are(ends: Integers, bounds: Integers, counts: Integers) -> bool:
    """Whether the integers that end at `ends` are so many in each row, which end at `bounds`."""
    last = np.cumsum(counts) - 1
    some = bool((counts > 0).all()) and last[-1] + 1 == len(ends)
    return some and bool((ends[last] + 1 == bounds).all())


def _shapes(block: Bytes, spans: Integers) -> Integers:
    """Number of entries that each row's shape allows, `_NO_SHAPE` where it has none."""
    if _are_alike(block, spans):
        return np.repeat(_products(block, spans[:1]), len(spans))
    return _products(block, spans)


def _products(block: Bytes, spans: Integers) -> Integers:
    sizes, counts = _integers(block, spans, np.ones(len(spans), np.int64))
    sizes = np.minimum(sizes, np.uint64(_HUGE))
    if (counts == 1).all():
        return sizes.astype(np.int64)
    products = np.full(len(counts), _NO_SHAPE, np.int64)
    ends = np.cumsum(counts)
    for row in np.flatnonzero(counts):
        product = math.prod(sizes[ends[row] - counts[row] : ends[row]].tolist())
        products[row] = min(product, _HUGE)
    return products


def _are_alike(block: Bytes, spans: Integers) -> bool:
    """Whether the same bytes lie in all spans."""
    lengths = spans[:, 1] - spans[:, 0]
    if (lengths != lengths[0]).any():
        return False
    packed = _joined(block, spans) if lengths[0] else block[:0]
    return bool((packed[lengths[0] :] == packed[: len(packed) - lengths[0]]).all())


def _joined(block: Bytes, spans: Integers) -> Bytes:
    """What lies in the spans, one after the other."""
    starts, stops = spans[:, 0], spans[:, 1]
    length = int(stops[0] - starts[0])
    if 0 < length <= _SHORT_BYTES and (stops - starts == length).all():
        words = np.ndarray(len(block) - length + 1, f"V{length}", block, strides=(1,))
        return words[starts].view(np.uint8)
    if (empty := starts == stops).any():
        # Nothing may lie anywhere
        before = np.maximum.accumulate(np.where(empty, 0, stops))
        starts, stops = np.where(empty, before, starts), np.where(empty, before, stops)
    if (starts[1:] < stops[:-1]).any():
        pairs = zip(starts.tolist(), stops.tolist(), strict=True)
        return np.concatenate([block[start:stop] for start, stop in pairs])
    # Every second of the texts that the block is cut into
    bounds = np.full(2 * len(spans) + 1, len(block), np.int32)
    bounds[:-1:2], bounds[1::2] = starts, stops
    texts = pa.BinaryArray.from_buffers(
        pa.binary(), len(bounds) - 1, [None, pa.py_buffer(bounds), pa.py_buffer(block)]
    )
    seconds = np.arange(0, len(bounds) - 1, 2, dtype=np.int32)
    # Without pandas, which `pa.array` would load for an array of numpy
    places = pa.Array.from_buffers(pa.int32(), len(seconds), [None, pa.py_buffer(seconds)])
    chosen = texts.take(places)
    return np.frombuffer(chosen.buffers()[2], np.uint8)


def _spans(table: Table, slot: str) -> Integers:
    spans: Integers = table.spans[SLOTS.index(slot)].T
    return spans
