from __future__ import annotations

import datetime
import gzip
import io
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_wine

from clary.codecs import parquet
from clary.codecs.batch import Batch, concatenate
from clary.codecs.reading import Reading
from clary.errors import CallerError
from tests.codecs.pipe import Pipe


def _file(columns: dict[str, Any], **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


def _read(data: bytes, **reading: Any) -> Batch:
    return concatenate(list(parquet.decode(io.BytesIO(data), "t.parquet", Reading(**reading))))


def _message(columns: dict[str, Any], **reading: Any) -> str:
    with pytest.raises(CallerError) as caught:
        _read(_file(columns), **reading)
    return str(caught.value)


def test_a_frame_of_pandas_is_read_label_first() -> None:
    frame = load_wine(as_frame=True).frame
    frame.insert(0, "target", frame.pop("target"))
    out = io.BytesIO()
    frame.to_parquet(out)
    found = _read(out.getvalue())
    wanted = load_wine()
    assert np.array_equal(found.features, wanted.data.astype(np.float32))
    assert np.array_equal(found.labels(), wanted.target)
    assert isinstance(found.features, np.ndarray)
    assert found.features.flags.c_contiguous


def test_any_kind_of_number_is_read() -> None:
    columns = {
        "y": pa.array([1, 0], pa.int64()),
        "small": pa.array([1, -2], pa.int8()),
        "flag": [True, False],
        "half": pa.array(np.array([0.5, 2], np.float16)),
        "exact": [Decimal("1.25"), Decimal("-3.50")],
        "coded": pa.array([7, 8]).dictionary_encode(),
    }
    assert _read(_file(columns)).features.tolist() == [[1, 1, 0.5, 1.25, 7], [-2, 0, 2, -3.5, 8]]


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.int32(), 2)],
    ids=str,
)
def test_features_may_be_a_column_of_vectors(kind: Any) -> None:
    columns = {"y": [1, 0], "features": pa.array([[1, 2], [3, 4]], kind), "more": [5, 6]}
    assert _read(_file(columns)).features.tolist() == [[1, 2, 5], [3, 4, 6]]


def test_nulls_are_missing_values() -> None:
    columns = {"y": [1, 0], "a": [None, 2.5], "b": pa.nulls(2)}
    found = _read(_file(columns), missing=True)
    assert np.array_equal(found.dense(), [[np.nan, np.nan], [2.5, np.nan]], equal_nan=True)
    assert "row 1, column 'a': must not be missing, got 'null'" in _message(columns)


def test_labels_and_weights_stand_first() -> None:
    columns = {"y0": [1.0], "y1": [2.0], "w": [0.5], "a": [7.0], "b": [8.0]}
    found = _read(_file(columns), label_size=2, weights=True)
    assert found.labels().tolist() == [[1, 2]]
    assert found.weights is not None
    assert found.weights.tolist() == [0.5]
    assert found.features.tolist() == [[7, 8]]


def test_row_groups_are_read_in_pieces() -> None:
    rows = np.arange(400_000, dtype=np.float32)
    data = _file({f"f{at}": rows for at in range(20)}, row_group_size=150_000)
    batches = list(parquet.decode(io.BytesIO(data), "t.parquet", Reading(label_size=0)))
    # 32 MB in blocks of about 4
    assert len(batches) > 6
    assert np.array_equal(concatenate(batches).dense()[:, 7], rows)


def test_pieces_are_small_where_little_in_a_file_is_much_in_memory() -> None:
    # Of equal numbers one is stored, and how often it comes
    wide = {f"f{at}": np.zeros(10_000) for at in range(1000)}
    vectors = {"v": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(10**7)), 1000)}
    for columns in (wide, vectors):
        data = _file(columns)
        assert len(data) < 1 << 20
        rows = [each.rows for each in parquet.decode(io.BytesIO(data), "x", Reading(label_size=0))]
        assert sum(rows) == 10_000
        assert max(rows) * 1000 * 4 <= 4 << 20


def test_what_cannot_be_searched_is_read_all_the_same() -> None:
    data = _file({"y": [1], "a": [2]})
    compressed = gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(data)))
    for stream in (Pipe(data), compressed):
        [batch] = parquet.decode(stream, "t.parquet", Reading())  # type: ignore[arg-type]
        assert batch.features.tolist() == [[2]]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    full = partial(open, "/dev/full", "wb")
    monkeypatch.setattr(parquet.tempfile, "TemporaryFile", full)
    with pytest.raises(CallerError, match=r"t\.parquet: must fit .* got 'a full disk'\. TMPDIR"):
        list(parquet.decode(Pipe(_file({"y": [1], "a": [2]})), "t.parquet", Reading()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"a": ["x", "y"]}, "row 1, column 'a': must be a number, and the column is string"),
        ({"a": [None, "y"]}, "row 2, column 'a': must be a number"),
        ({"a": [datetime.date(2024, 5, 1)] * 2}, "Dates and times must become numbers"),
        ({"a": [1.0, float("inf")]}, "row 2, column 'a': must be a finite float32 number, got inf"),
        ({"a": [1.0, 1e300]}, "row 2, column 'a': must be a finite float32 number, got 1e+300"),
        ({"a": [1.0, float("nan")]}, "row 2, column 'a': must not be missing"),
        ({"a": [[1.0, 2.0], [3.0]]}, "row 2, column 'a': must have 2 numbers, as row 1 has"),
        ({"a": [[1.0], None]}, "row 2, column 'a': must have 1"),
        ({"a": [[1.0, None], [3.0, 4.0]], "b": [1, 1]}, "row 1, column 'a': must"),
        ({"a": pa.array([[], []], pa.list_(pa.int8()))}, "row 1, column 'a': must have"),
        ({"a": [{"x": 1}, {"x": 2}]}, "column 'a': must be a number, and the column is struct"),
        ({"a": [1, 2], "__index_level_0__": [5, 6]}, "index that pandas wrote"),
        ({}, "must have features after label_size=1"),
    ],
)
def test_faults_name_row_and_column(columns: dict[str, Any], words: str) -> None:
    message = _message({"y": [1, 0], **columns})
    assert message.startswith("t.parquet")
    assert words in message


def test_faults_in_later_pieces_name_the_row_of_the_file() -> None:
    columns = {f"f{at}": np.zeros(300_000) for at in range(20)}
    columns["f3"][250_000] = np.nan
    assert "row 250001, column 'f3'" in _message(columns)


def test_labels_are_numbers_and_never_missing() -> None:
    assert "row 1, column 'y': must be a number" in _message({"y": ["cat"], "a": [1]})
    assert "row 1, column 'y': must not be" in _message({"y": [None], "a": [1]}, missing=True)
    assert "as labels and weights are" in _message({"y": [[1.0]], "a": [1]})


def test_the_width_must_be_as_expected() -> None:
    assert "must have 3 features after label_size=1, got 1" in _message(
        {"y": [1], "a": [1]}, width=3
    )


def test_no_rows_and_no_bytes_are_no_batches() -> None:
    for data in (b"", _file({"y": pa.array([], pa.int8()), "a": pa.array([], pa.int8())})):
        assert not list(parquet.decode(io.BytesIO(data), "t.parquet", Reading()))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"1,2\n", "must begin with PAR1, as Parquet does, got '1,2"),
        (b"PAR", "must begin with PAR1"),
        (b"PAR1", "cannot be read as Parquet"),
        (b"PAR1" + b"\0" * 50 + b"PAR1", "cannot be read as Parquet"),
    ],
)
def test_what_is_no_parquet_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(CallerError, match=rf"t\.parquet: {words}"):
        _read(data)


def test_columns_are_written_with_names() -> None:
    out = io.BytesIO()
    ones = np.ones((3, 2), np.float32)
    parquet.encode([Batch(ones, ones[:, 0], ones[:, 0]), Batch(ones, ones[:, 0], ones[:, 0])], out)
    table = pq.read_table(out)
    assert table.column_names == ["label", "weight", "f0", "f1"]
    assert table.num_rows == 6


def test_nothing_cannot_be_written() -> None:
    with pytest.raises(CallerError, match="at least one row"):
        parquet.encode([], io.BytesIO())
