from __future__ import annotations

import gzip
import io
import tracemalloc
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from clary.codecs.batch import Batch, concatenate
from clary.codecs.content_type import parse_content_type
from clary.codecs.formats import FORMATS, decode, encode
from clary.codecs.reading import Reading
from clary.errors import CallerError, UnsupportedContentType
from tests.codecs.pipe import Pipe

RECORDS = ("application/x-recordio-protobuf", "application/json", "application/jsonlines")

_FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
_VALUES = _FINITE | st.just(np.nan)


def _decoded(stream: Any, content_type: str, **reading: Any) -> Batch:
    found = decode(stream, "file", parse_content_type(content_type), Reading(**reading))
    return concatenate(list(found))


def _encoded(content_type: str, *batches: Batch) -> bytes:
    out = io.BytesIO()
    encode(batches, out, parse_content_type(content_type))
    return out.getvalue()


def _same(found: Any, wanted: Any) -> bool:
    if wanted is None or found is None:
        return found is wanted
    return bool(np.array_equal(found, wanted, equal_nan=True))


@st.composite
def _batches(draw: st.DrawFn, most_labels: int = 3) -> Batch:
    rows, width = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    labels = draw(st.integers(0, most_labels))
    shape = rows if labels == 1 else (rows, labels)
    weights = arrays(np.float32, rows, elements=st.floats(0, 2.0**100, width=32))
    return Batch(
        draw(arrays(np.float32, (rows, width), elements=_VALUES)),
        draw(arrays(np.float32, shape, elements=_FINITE)) if labels else None,
        draw(st.none() | weights) if labels else None,
    )


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("content_type", ["text/csv", "application/x-parquet"])
@given(batch=_batches(), repeat=st.sampled_from([1, 70]))
def test_tables_are_read_as_they_were_written(
    content_type: str, compressed: bool, batch: Batch, repeat: int
) -> None:
    data = _encoded(content_type, *[batch] * repeat)
    label_size = 0 if batch.label is None else batch.label.reshape(batch.rows, -1).shape[1]
    found = _decoded(
        io.BytesIO(gzip.compress(data) if compressed else data),
        content_type,
        label_size=label_size,
        weights=batch.weights is not None,
        missing=True,
    )
    wanted = concatenate([batch] * repeat)
    assert _same(found.features, wanted.features)
    assert _same(found.label, wanted.label)
    assert _same(found.weights, wanted.weights)


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("content_type", RECORDS)
@given(batch=_batches(), repeat=st.sampled_from([1, 70]), sparse=st.booleans())
def test_records_and_instances_are_read_as_they_were_written(
    content_type: str, compressed: bool, batch: Batch, repeat: int, sparse: bool
) -> None:
    written = Batch(csr_array(batch.features) if sparse else batch.features, batch.label)
    data = _encoded(content_type, *[written] * repeat)
    stream = Pipe(gzip.compress(data) if compressed else data)
    found = _decoded(stream, content_type, missing=True)
    wanted = concatenate([written] * repeat)
    assert found.is_sparse == sparse
    assert _same(found.dense(), wanted.dense())
    assert _same(found.label, wanted.label)


@given(
    batch=_batches(most_labels=1),
    repeat=st.sampled_from([1, 300]),
    sparse=st.booleans(),
    grouped=st.booleans(),
)
def test_libsvm_is_read_as_it_was_written(
    batch: Batch, repeat: int, sparse: bool, grouped: bool
) -> None:
    groups = {"qid": np.arange(batch.rows)} if grouped else {}
    features = csr_array(batch.features) if sparse else batch.features
    one = Batch(features, batch.label, batch.weights, groups)
    written = [one, concatenate([one] * repeat)]
    found = _decoded(
        io.BytesIO(_encoded("text/libsvm", *written)),
        "text/libsvm",
        label_size=0 if batch.label is None else 1,
        width=batch.width,
        missing=True,
    )
    wanted = concatenate(written)
    assert _same(found.dense(), wanted.dense())
    assert found.sparse().nnz == wanted.features.size
    assert _same(found.label, wanted.label)
    assert _same(found.weights, wanted.weights)
    assert _same(found.extras.get("qid"), wanted.extras.get("qid"))


def test_every_format_has_both_verbs() -> None:
    for module in FORMATS.values():
        assert callable(import_module(module).decode)
        assert callable(import_module(module).encode)


def test_gzip_of_several_members_from_a_pipe() -> None:
    data = gzip.compress(b"1,2\n") + gzip.compress(b"3,4\n")
    assert _decoded(Pipe(data), "text/csv").features.tolist() == [[2], [4]]
    assert _decoded(Pipe(b"1,2\n3,4\n"), "text/csv").features.tolist() == [[2], [4]]
    assert _decoded(Pipe(b"1"), "text/csv", label_size=0).rows == 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "after"])
def test_damaged_gzip_is_refused_with_the_place(damage: str) -> None:
    data = bytearray(gzip.compress(b"1,2\n" * 100_000))
    if damage == "cut":
        del data[-20:]
    elif damage == "flipped":
        data[-5] ^= 1
    else:
        data += b"garbage"
    with pytest.raises(CallerError, match=r"file, byte \d+ after decompression: the gzip data"):
        _decoded(io.BytesIO(bytes(data)), "text/csv")


def test_a_gzip_bomb_meets_the_bounds_of_its_format() -> None:
    bomb = gzip.compress(bytes([ord("1")]) * (100 << 20))
    tracemalloc.start()
    with pytest.raises(CallerError, match="has no end within 16 MiB"):
        _decoded(io.BytesIO(bomb), "text/csv")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Twice the longest line, not the 100 MiB
    assert peak < 50 << 20


@pytest.mark.parametrize("parameter", ["charset", "encoding"])
def test_text_in_another_encoding_is_read_where_it_is_named(parameter: str) -> None:
    data = "1,2\n3,4\n".encode("utf-16")
    assert _decoded(io.BytesIO(data), f"text/csv;{parameter}=UTF-16").labels().tolist() == [1, 3]
    assert _decoded(io.BytesIO(b"1,2\n"), f"text/csv;{parameter}=latin-1").rows == 1
    with pytest.raises(CallerError, match="must name a known charset, got 'klingon'"):
        _decoded(io.BytesIO(b"1,2\n"), f"text/csv;{parameter}=klingon")
    for wrong in (b"\xff\xfe\x00\xd8\n", b"1,2\n"):
        with pytest.raises(CallerError, match="file: must be text in utf-16, as 'text/csv;"):
            _decoded(io.BytesIO(wrong), f"text/csv;{parameter}=utf-16")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UnsupportedContentType, match="must be one of text/csv"):
        _decoded(io.BytesIO(b""), "text/klingon")
    with pytest.raises(UnsupportedContentType, match="must be one of text/csv"):
        _encoded("text/klingon")


@pytest.mark.parametrize("content_type", FORMATS)
def test_the_stream_is_left_open(content_type: str) -> None:
    data = _encoded(content_type, Batch(np.ones((2, 2), np.float32), np.ones(2, np.float32)))
    stream = io.BytesIO(data)
    _decoded(stream, content_type)
    assert not stream.closed
