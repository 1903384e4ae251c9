from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_array

from clary.codecs import record_frames, recordio
from clary.codecs.batch import Batch, concatenate
from clary.codecs.reading import Reading
from tests.codecs.record_schema import framed
from tests.codecs.records import (
    LABELLED,
    UNLABELLED,
    assert_same,
    decoded,
    encoded,
    iris,
    record,
    sparse_rows,
)

# More than is read at once, so that records lie across the borders of blocks
LARGE = Batch(
    np.random.default_rng(0).random((40_000, 23), np.float32), np.arange(40_000, dtype=np.float32)
)


class Dribble(io.RawIOBase):
    """A stream that gives a few bytes at a time, as sockets and pipes do."""

    def __init__(self, data: bytes, sizes: Iterator[int]) -> None:
        self._data = io.BytesIO(data)
        self._sizes = sizes

    def readable(self) -> bool:
        return True

    def readinto(self, view: memoryview) -> int:  # type: ignore[override]
        return self._data.readinto(view[: next(self._sizes)])


class OnlyRead:
    """A stream that knows read alone, as HTTP clients' do."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._data.read(min(size, 1000))


def test_rows_of_many_blocks_come_back() -> None:
    assert_same(decoded(encoded(LARGE)), LARGE)
    sparse = sparse_rows(20_000)
    assert_same(decoded(encoded(sparse)), sparse)


def test_batches_are_of_some_size() -> None:
    sizes = [batch.rows for batch in recordio.decode(io.BytesIO(encoded(LARGE)), "x", LABELLED)]
    assert sum(sizes) == LARGE.rows
    assert len(sizes) == 1
    assert decoded(encoded(LARGE)).dense().flags.c_contiguous


def test_a_stream_may_come_in_dribbles() -> None:
    data = encoded(LARGE.slice(0, 3000))
    sizes = iter(np.random.default_rng(0).integers(1, 3000, 10**5).tolist())
    stream = Dribble(data, sizes)
    assert_same(concatenate(list(recordio.decode(stream, "x", LABELLED))), LARGE.slice(0, 3000))
    read = OnlyRead(data)
    got = concatenate(list(recordio.decode(read, "x", LABELLED)))  # type: ignore[arg-type]
    assert_same(got, LARGE.slice(0, 3000))


def test_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "train_0"
    os.mkfifo(path)
    data = encoded(LARGE)
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    with path.open("rb") as stream:
        got = concatenate(list(recordio.decode(stream, "train_0", LABELLED)))
    writer.join()
    assert_same(got, LARGE)


def test_a_record_longer_than_a_block_is_read() -> None:
    wide = Batch(np.random.default_rng(0).random((3, 700_000), np.float32))
    assert_same(decoded(encoded(wide)), wide)
    assert_same(decoded(encoded(iris(), iris())), concatenate([iris(), iris()]))


def test_an_empty_stream_has_no_rows() -> None:
    assert list(recordio.decode(io.BytesIO(), "x", LABELLED)) == []


def test_the_batch_of_a_small_request_holds_no_large_memory() -> None:
    (batch,) = recordio.decode(io.BytesIO(encoded(iris())), "x", LABELLED)
    assert isinstance(batch.features, np.ndarray)
    assert batch.features.base is None


def test_a_layout_may_change_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    # Small blocks, so that changes and borders of blocks meet in all ways
    monkeypatch.setattr(record_frames, "_READ_BYTES", 1 << 12)
    rng = np.random.default_rng(0)
    messages, expected = [], []
    for _ in range(200):
        kind = ["float32", "float64", "int32"][rng.integers(3)]
        length = int(rng.integers(4))
        for _ in range(int(rng.choice([1, 2, 5, 60]))):
            x = rng.integers(-3, 300, 4)
            if length == 3:
                message = record(x[x != 0], x.nonzero()[0], [4], kind=kind, label=[1])
            else:
                message = record(x, kind=kind, label=[1], uid="id" * length)
            messages.append(framed(message.SerializeToString()))
            expected.append(x)
    got = decoded(b"".join(messages))
    np.testing.assert_array_equal(got.dense(), expected)
    assert got.rows == got.labels().sum()


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    rows, width = draw(st.integers(1, 40)), draw(st.integers(1, 12))
    features = draw(hnp.arrays(np.float32, (rows, width), elements=FLOATS))
    labels = draw(st.sampled_from([None, (rows,), (rows, 2), (rows, 5)]))
    label = None if labels is None else draw(hnp.arrays(np.float32, labels, elements=FLOATS))
    is_sparse = draw(st.booleans())
    return Batch(csr_array(features) if is_sparse else features, label)


@given(batches())
def test_what_is_encoded_is_decoded(batch: Batch) -> None:
    assert_same(decoded(encoded(batch)), batch)


@given(batches())
def test_nan_is_kept_where_values_may_be_missing(batch: Batch) -> None:
    features = batch.features if isinstance(batch.features, np.ndarray) else batch.features.data
    features[features == 0] = np.nan
    reading = Reading(label_size=0, missing=True)
    got = decoded(encoded(batch), reading)
    np.testing.assert_array_equal(got.dense(), batch.dense())


def test_a_batch_can_be_written_in_parts() -> None:
    parts = [LARGE.slice(start, start + 777) for start in range(0, LARGE.rows, 777)]
    assert encoded(*parts) == encoded(LARGE)
    sparse = sparse_rows(1000)
    parts = [sparse.slice(start, start + 77) for start in range(0, 1000, 77)]
    assert encoded(*parts) == encoded(sparse)


def test_labels_can_be_left_out_of_a_large_file() -> None:
    assert_same(decoded(encoded(LARGE), UNLABELLED), Batch(LARGE.dense()))
