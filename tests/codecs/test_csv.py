from __future__ import annotations

import io
import os
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv as arrow_csv
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from clary.codecs import csv, lines
from clary.codecs.batch import Batch, concatenate
from clary.codecs.reading import Reading
from clary.errors import CallerError


def _read(text: str | bytes, **reading: Any) -> Batch:
    data = text.encode() if isinstance(text, str) else text
    return concatenate(list(csv.decode(io.BytesIO(data), "train.csv", Reading(**reading))))


def _message(text: str | bytes, **reading: Any) -> str:
    with pytest.raises(CallerError) as caught:
        _read(text, **reading)
    return str(caught.value)


def test_real_data_are_what_pyarrow_reads(tmp_path: Path) -> None:
    rows, labels = load_breast_cancer(return_X_y=True)
    path = tmp_path / "cancer.csv"
    np.savetxt(path, np.column_stack([labels, rows]), delimiter=",")
    names = [str(at) for at in range(31)]
    wanted = arrow_csv.read_csv(
        path,
        arrow_csv.ReadOptions(column_names=names),
        convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float32())),
    )
    found = _read(path.read_bytes())
    assert np.array_equal(found.features, np.column_stack(wanted.columns[1:]))
    assert np.array_equal(found.label, labels)


@pytest.mark.parametrize("repeat", [1, 100], ids=["line by line", "block at once"])
class TestWhatIsTolerated:
    """The two readers tolerate the same."""

    @pytest.mark.parametrize(
        "text",
        [
            "1,2,3\n",
            "1, 2,  3 \n",
            "1,2,3\r\n",
            "1,2,3\n\n   \n",
            '"1","2","3"\n',
            '"1", "2" ,3\n',
            "1\t2\t3\n",
            "1;2;3\n",
            "1|2|3\n",
            "1 2  3\n",
            "  1   2 3  \n",
            "+1,2.,3e0\n",
            "1.0E+00,0.2e1,30e-1\n",
        ],
    )
    def test_forms_of_a_row(self, text: str, repeat: int) -> None:
        found = _read(text * repeat)
        assert found.features.tolist() == [[2, 3]] * repeat
        assert found.labels().tolist() == [1] * repeat

    def test_a_last_line_without_its_end(self, repeat: int) -> None:
        assert _read("1,2\n" * repeat + "3,4").rows == repeat + 1

    def test_a_byte_order_mark(self, repeat: int) -> None:
        assert _read(b"\xef\xbb\xbf" + b"1,2\n" * repeat).labels()[0] == 1

    def test_line_ends_of_old_macintoshes(self, repeat: int) -> None:
        assert _read("1,2\r" * repeat).rows == repeat

    def test_empty_fields_where_values_may_be_missing(self, repeat: int) -> None:
        found = _read("1,,nan\n" * repeat, missing=True)
        assert np.isnan(found.features).all()
        assert found.features.shape == (repeat, 2)

    def test_a_line_of_one_field_is_one_feature_without_labels(self, repeat: int) -> None:
        assert _read("10.5\n" * repeat, label_size=0).features.tolist() == [[10.5]] * repeat


def test_labels_and_weights_stand_first() -> None:
    found = _read("1,2,0.5,7,8\n", label_size=2, weights=True)
    assert found.labels().tolist() == [[1, 2]]
    assert found.weights is not None
    assert found.weights.tolist() == [0.5]
    assert found.features.tolist() == [[7, 8]]


def test_features_are_contiguous_and_can_be_written_to() -> None:
    for count in (2, 1000):
        features = _read("1,2,3\n" * count).features
        assert isinstance(features, np.ndarray)
        assert features.flags.c_contiguous
        assert features.flags.writeable
        assert features.dtype == np.float32


def test_an_empty_stream_has_no_rows() -> None:
    assert not list(csv.decode(io.BytesIO(b""), "empty.csv", Reading()))
    assert not list(csv.decode(io.BytesIO(b"\n \n"), "blank.csv", Reading()))


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("a,b\n1,2\n", "line 1, column 1", "looks like a header line"),
        (",a,b\n0,1,2\n", "line 1, column 2", "index"),
        ("1,2\n1,true\n", "line 2, column 2", "1 and 0"),
        ("1,2\n\n1,x\n", "line 3, column 2", "must be the first column"),
        ("1,x,2\n", "line 1, column 2", "categories"),
        ("cat,1\ndog,2\n", "line 1, column 1", "Label columns come first"),
        ("1,2024-05-01,3\n", "line 1, column 2", "Dates"),
        ('1,"1,5",3\n', "line 1, column 2", "decimal point"),
        ("1,5;2,5;3\n", "line 1, column 2", "decimal commas"),
        ("1,5%,3\n", "line 1, column 2", "units"),
        ("1,0x1f,3\n", "line 1, column 2", "base ten"),
        ('1,"4\n', "line 1, column 2", "quote left open"),
        ("1,2,3\n1,2\n", "line 2", "cut short"),
        ("1,2,3\n1,2,3,\n", "line 2", "ends with a delimiter"),
        ("1,2\n1,2,5\n", "line 2", "decimal comma"),
        ("1,NA\n", "line 1, column 2", "Fill missing values in"),
        ("1,,2\n", "line 1, column 2", "Fill missing values in"),
        ("1,2,\n", "line 1, column 3", "end with a delimiter"),
        ("1,nan,2\n", "line 1, column 2", "must not be missing"),
        ("1,1e39\n", "line 1, column 2", "3.4e38"),
        ("1,-inf\n", "line 1, column 2", "finite"),
        ("1,1_000\n", "line 1, column 2", "between"),
        ("1,2\0\n", "line 1, character 4", "NUL"),
        ("1,٣\n", "line 1, column 2", "must be a number"),
    ],
)
def test_faults_name_the_place_and_the_likely_cause(text: str, place: str, hint: str) -> None:
    message = _message(text)
    assert message.startswith(f"train.csv, {place}: ")
    assert hint in message


def test_a_fault_in_the_middle_of_many_blocks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines.blocks, "__defaults__", (4096,))
    text = "1,2,3\n" * 20_000 + "1,two,3\n" + "1,2\n" * 5_000
    assert "train.csv, line 20001, column 2: must be a number (feature 0), got 'two'" in _message(
        text
    )


def test_text_that_stands_for_a_missing_value_is_told_how_to_be_one() -> None:
    assert "Leave the field of a missing value empty" in _message("1,NA,2\n", missing=True)


@pytest.mark.parametrize("repeat", [1, 100])
def test_labels_and_weights_are_never_missing(repeat: int) -> None:
    assert "(the label)" in _message(",1,2\n" * repeat, missing=True)
    assert "(the weight)" in _message("1,,2\n" * repeat, missing=True, weights=True)
    assert "must not be negative" in _message("1,-1,2\n" * repeat, weights=True)


def test_a_wrong_number_of_columns_is_explained_by_label_or_index() -> None:
    assert "label_size=0" in _message("1\n2\n")
    assert "label_size=0" in _message("1,2,3\n", width=3)
    assert "label_size=1" in _message("1,2,3\n", width=2, label_size=0)
    assert "index" in _message("0,5,6\n1,5,7\n2,8,9\n", width=2, label_size=0)


_NUMBERS = st.floats(-(2.0**127), 2.0**127, width=32)


@given(
    st.lists(st.tuples(_NUMBERS, _NUMBERS), min_size=1, max_size=20),
    st.sampled_from([repr, "{:.9g}".format, "{:.17g}".format, "{:.20f}".format, "{:+.3e}".format]),
)
def test_both_readers_read_the_same_numbers(rows: list[tuple[float, float]], form: Any) -> None:
    text = "".join(f"{form(left)},{form(right)}\n" for left, right in rows)
    few = [_read(line + "\n", label_size=0) for line in text.splitlines()]
    many = _read(text * (lines_needed := 64), label_size=0)
    found = concatenate(few).dense()
    assert found.tobytes() * lines_needed == many.dense().tobytes()


_KINDS = (
    "1 -2.5 +3 .5 4. 1e5 1E-50 1e39 nan NaN nan(1) inf -Infinity 0x1 1_0 x true 16777217 ( "
    '"1" "1 "" 1"2 "1;2" 1;2 \t1 \v1 \x01 é'
)
_FIELDS = st.sampled_from([*_KINDS.split(" "), "", " ", " 1 ", ' "1" ', '" 1 "', '"1,2"', "1 2"])
_ROWS = st.lists(st.lists(_FIELDS, min_size=1, max_size=3).map(",".join), max_size=3)


@given(_ROWS, st.booleans(), st.sampled_from([0, 1]), st.booleans())
def test_both_readers_agree(rows: list[str], missing: bool, label_size: int, weights: bool) -> None:
    def outcome(padding: str) -> object:
        stream = io.BytesIO(("\n".join(rows) + "\n" + padding).encode())
        reading = Reading(missing=missing, label_size=label_size, weights=weights)
        try:
            batches = list(csv.decode(stream, "train.csv", reading))
        except CallerError as error:
            return str(error)
        return [(each.features.tolist(), each.label, each.weights) for each in batches]

    assert repr(outcome("")) == repr(outcome("\n" * 100))


def test_numbers_half_way_between_two_are_rounded_once() -> None:
    # As a double the first becomes 16777217, which would be rounded to the even 16777216
    text = "16777217.000000001,16777217\n"
    for repeat in (1, 100):
        assert _read(text * repeat, label_size=0).features[0].tolist() == [16777218, 16777216]


@pytest.mark.parametrize("block_bytes", [64, 1000, 4096])
def test_the_rows_do_not_depend_on_the_cuts(
    block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, labels = load_diabetes(return_X_y=True)
    out = io.BytesIO()
    csv.encode([Batch(rows.astype(np.float32), labels.astype(np.float32))], out)
    whole = _read(out.getvalue())
    monkeypatch.setattr(lines.blocks, "__defaults__", (block_bytes,))
    cut = _read(out.getvalue())
    assert np.array_equal(whole.features, cut.features)
    assert np.array_equal(whole.labels(), cut.labels())


def test_a_pipe_is_read_as_it_comes() -> None:
    reader, writer = os.pipe()
    text = b"".join(b"%d,%d\n" % (row, 2 * row) for row in range(50_000))

    def feed() -> None:
        with os.fdopen(writer, "wb", buffering=0) as pipe:
            for start in range(0, len(text), 777):
                pipe.write(text[start : start + 777])

    feeder = threading.Thread(target=feed)
    feeder.start()
    with os.fdopen(reader, "rb") as pipe:
        found = concatenate(list(csv.decode(pipe, "train_0", Reading())))
    feeder.join()
    assert found.rows == 50_000
    assert found.features[-1] == 2 * 49_999


class _Endless(io.RawIOBase):
    """A line that never ends."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        buffer[:] = b"1" * len(buffer)
        return len(buffer)


def test_a_line_without_end_is_refused_within_bounds() -> None:
    tracemalloc.start()
    with pytest.raises(CallerError, match=r"train\.csv, line 1: has no end within 16 MiB"):
        list(csv.decode(_Endless(), "train.csv", Reading()))  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The line so far, and a block of it more
    assert peak < 3 * lines.LINE_BYTES


def test_numbers_are_written_in_their_shortest_form() -> None:
    out = io.BytesIO()
    features = np.array([[0.1, 1, np.nan], [-2.5, 1e10, 16777216]], np.float32)
    csv.encode([Batch(features, np.array([1, 0], np.float32))], out)
    assert out.getvalue() == b"1,0.1,1,\n0,-2.5,1e+10,16777216\n"


def test_rows_that_do_not_fit_a_table_are_not_written() -> None:
    rows = np.ones((1, 2), np.float32)
    with pytest.raises(CallerError, match="no place for qid"):
        csv.encode([Batch(rows, extras={"qid": np.ones(1)})], io.BytesIO())
    with pytest.raises(CallerError, match="must have 2 features in every row"):
        csv.encode([Batch(rows), Batch(np.ones((1, 3), np.float32))], io.BytesIO())


def test_iris_as_people_export_it_is_explained() -> None:
    frame = load_iris(as_frame=True).frame
    message = _message(frame.to_csv())
    assert "header line" in message
    assert "to_csv(header=False, index=False)" in message
    assert _read(frame.to_csv(header=False, index=False)).features.shape == (150, 4)
