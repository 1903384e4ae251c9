"""libsvm text: `label[:weight] [qid:group] index:value … # comment`, one row a line.

Indices start at 0. Rows are sparse: what is not written is absent, and a 0 that is written is kept.

Blocks of lines are read on several threads, all numbers of a block at once. A block in which
anything is unusual is read again line by line, which finds what is wrong and where.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from clary.codecs import libsvm_rows, lines
from clary.codecs.batch import Batch, Floats
from clary.codecs.libsvm_rows import COMMENT, GROUP, LARGEST_GROUP, Layout
from clary.codecs.lines import Block
from clary.codecs.reading import Reading
from clary.codecs.rows import WIDEST, RowFault, sound, sparse_rows
from clary.errors import CallerError

_Doubles = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]
_Places = npt.NDArray[np.integer[Any]]

# Line by line is quicker for fewer
_FEW_BYTES = 4096
_ENCODED_ENTRIES = 1 << 20
_LINE_FEED, _BLANK, _COLON = b"\n :"
_SEPARATORS = b" \t\n:"
# Stands for `qid` where all tokens are numbers
_GROUP_KEY = -1e300


def decode(stream: BinaryIO, name: str, reading: Reading) -> Iterator[Batch]:
    """The rows of a stream, in blocks; lines without tokens are passed over.

    With a `label_size` of 0, tokens without a colon at the start of a line are dropped. Rows are as
    wide as `reading.width`, else as the highest index so far asks for. Groups are in
    `extras["qid"]`.

    Raises:
        CallerError: names `name`, the line and the character (both from 1).
    """
    if reading.label_size > 1:
        raise CallerError.of(name, "text/libsvm has one label", f"label_size={reading.label_size}")
    blocks = lines.blocks(stream, name)
    widest = 0
    for first in blocks:
        layout = libsvm_rows.layout_of(first, reading)
        if layout:
            work = partial(_decoded, layout=layout, name=name)
            for batch in lines.ordered(work, chain([first], blocks)):
                widest = max(widest, batch.width)
                if batch.rows:
                    yield _widened(batch, widest)


def encode(batches: Iterable[Batch], out: BinaryIO) -> None:
    """Write label, weight, `qid` and entries. Dense rows are written whole, zeros and NaN too.

    Numbers are the shortest text that reads back as the same float32.

    Raises:
        CallerError: rows have weights without labels, or extras for which there is no place.
    """
    for batch in batches:
        others = {name: values for name, values in batch.extras.items() if name != "qid"}
        weights = batch.weights if batch.label is None else None
        replace(batch, weights=weights, extras=others).refuse_extras("text/libsvm")
        step = max(1, _ENCODED_ENTRIES * batch.rows // max(1, batch.features.size))
        for start in range(0, batch.rows, step):
            out.write(_text(batch.slice(start, start + step)))


def _decoded(block: Block, layout: Layout, name: str) -> Batch:
    if len(block.data) >= _FEW_BYTES:
        try:
            return _fast(block, layout)
        except _Unusual:
            pass
    return libsvm_rows.read(block, layout, name)


def _widened(batch: Batch, width: int) -> Batch:
    x = batch.sparse()
    if x.shape[1] == width:
        return batch
    return replace(batch, features=csr_array((x.data, x.indices, x.indptr), (batch.rows, width)))


class _Unusual(Exception):
    """The block needs a closer look."""


def _need(condition: bool | np.bool_) -> None:
    if not condition:
        raise _Unusual


class _Tokens(NamedTuple):
    """All tokens of a block, as numbers.

    is_key: a colon follows, and then the value. is_bare: there is no colon on either side.
    rows, stops: (rows,) the first token of each row, and the one after its last.
    """

    numbers: _Doubles
    is_key: _Flags
    is_bare: _Flags
    rows: _Places
    stops: _Places


def _fast(block: Block, layout: Layout) -> Batch:
    """The rows, all tokens of the block at once."""
    numbers, is_key, is_bare, at, stops = _tokens(block.data, layout.grouped)
    labels = weights = groups = numbers[:0]
    if layout.reading.label_size:
        _need((is_key if layout.weighted else is_bare)[at].all())
        labels = numbers[at]
        weights = numbers[at + 1] if layout.weighted else weights
        is_key[at] = is_bare[at] = False
        at = at + 1 + layout.weighted
    else:
        has_label = is_bare[at]
        is_bare[at] = False
        at = at + has_label
    if layout.grouped:
        _need((at < stops).all())
        _need((is_key[at] & (numbers[at] == _GROUP_KEY)).all())
        groups = numbers[at + 1]
        _need(((groups >= 0) & (groups <= LARGEST_GROUP) & (groups == np.floor(groups))).all())
        is_key[at] = False
    _need(not is_bare.any())
    keys = np.flatnonzero(is_key)
    bounds = np.concatenate([[0], np.searchsorted(keys, stops)]).astype(np.int32)
    features = _features(numbers[keys], _singles(numbers[keys + 1]), bounds, layout.reading)
    batch = layout.batch(_singles(labels), _singles(weights), groups.astype(np.int64), features)
    _need(sound(batch, layout.reading.missing))
    return batch


def _features(
    indices: _Doubles, values: Floats, bounds: npt.NDArray[np.int32], reading: Reading
) -> csr_array:
    _need(((indices >= 0) & (indices < (reading.width or WIDEST))).all())
    columns = indices.astype(np.int32)
    _need((columns == indices).all())
    width = reading.width or int(columns.max(initial=0)) + 1
    rising = np.diff(columns, prepend=-1) > 0
    rising[bounds[:-1][bounds[:-1] < len(columns)]] = True
    if rising.all():
        return csr_array((values, columns, bounds), (len(bounds) - 1, width))
    try:
        return sparse_rows(columns.astype(np.uint64), values, np.diff(bounds), width)
    except RowFault:
        raise _Unusual from None


def _tokens(data: bytes, grouped: bool) -> _Tokens:
    if b"#" in data:
        data = COMMENT.sub(b"", data)
    if grouped:
        data = data.replace(GROUP, b"%g:" % _GROUP_KEY)
    if not data.endswith(b"\n"):
        data += b"\n"
    text = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero((text <= _BLANK) | (text == _COLON)).astype(np.int32)
    after = text[ends]
    to_colon = after == _COLON
    from_colon = np.concatenate([[False], to_colon[:-1]])
    # Where each token ends in the text without separators; those of no length are none
    cuts = ends - np.arange(len(ends), dtype=np.int32)
    filled = np.concatenate([cuts[:1] > 0, cuts[1:] > cuts[:-1]])
    _need(not ((to_colon & from_colon) | ((to_colon | from_colon) & ~filled)).any())
    numbers = _numbers(data, cuts[filled])
    stops = np.cumsum(filled, dtype=np.int32)[after == _LINE_FEED]
    starts = np.concatenate([np.zeros(1, np.int32), stops[:-1]])
    rows = starts < stops
    is_key, is_bare = to_colon[filled], ~(to_colon | from_colon)[filled]
    return _Tokens(numbers, is_key, is_bare, starts[rows], stops[rows])


def _numbers(data: bytes, cuts: npt.NDArray[np.int32]) -> _Doubles:
    """All tokens, which end at `cuts` once the separators between them are left out."""
    packed = data.translate(None, _SEPARATORS)
    _need(len(cuts) > 0 and len(packed) == cuts[-1] and b"(" not in packed)
    bounds = pa.py_buffer(np.concatenate([np.zeros(1, np.int32), cuts]))
    tokens = pa.StringArray.from_buffers(len(cuts), bounds, pa.py_buffer(packed))
    try:
        numbers: _Doubles = tokens.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        raise _Unusual from None
    return numbers


def _singles(doubles: _Doubles) -> Floats:
    with np.errstate(over="ignore"):
        return doubles.astype(np.float32)


def _text(batch: Batch) -> bytes:
    """The rows as lines: tokens are joined to rows, and rows to one text."""
    columns, values, bounds = _entries(batch)
    pairs = pc.binary_join_element_wise(_strings(columns), _strings(values), ":")
    parts = [pc.binary_join(pa.ListArray.from_arrays(pa.array(bounds), pairs), " ")]
    if "qid" in batch.extras:
        parts.insert(0, pc.binary_join_element_wise("qid", _strings(batch.extras["qid"]), ":"))
    if batch.label is not None:
        label = _strings(batch.label)
        if batch.weights is not None:
            label = pc.binary_join_element_wise(label, _strings(batch.weights), ":")
        parts.insert(0, label)
    rows = pc.utf8_rtrim(pc.binary_join_element_wise(*parts, " "), " ")
    # A row of nothing would be a blank line; a label is dropped where none is wanted
    rows = pc.if_else(pc.equal(rows, ""), "0", rows)
    everything = pa.ListArray.from_arrays(pa.array([0, batch.rows], pa.int32()), rows)
    text: str = pc.binary_join(everything, "\n")[0].as_py()
    return text.encode() + b"\n"


def _entries(batch: Batch) -> tuple[npt.NDArray[np.int32], Floats, npt.NDArray[np.int32]]:
    """Columns, values and the bounds of rows."""
    if isinstance(batch.features, np.ndarray):
        columns = np.tile(np.arange(batch.width, dtype=np.int32), batch.rows)
        bounds = np.arange(batch.rows + 1, dtype=np.int32) * batch.width
        return columns, batch.features.ravel(), bounds.astype(np.int32)
    x = batch.features
    return x.indices, x.data, x.indptr.astype(np.int32)


def _strings(numbers: npt.NDArray[Any]) -> Any:
    return pa.array(numbers).cast(pa.string())
