from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.datasets import dump_svmlight_file, load_digits, load_svmlight_file

from clary.codecs import libsvm, lines
from clary.codecs.batch import Batch, concatenate
from clary.codecs.reading import Reading
from clary.errors import CallerError

# Makes a block long enough for the reader of many rows
_PADDING = "#" + "x" * 5000 + "\n"


def _read(text: str | bytes, **reading: Any) -> Batch:
    data = text.encode() if isinstance(text, str) else text
    return concatenate(list(libsvm.decode(io.BytesIO(data), "train.svm", Reading(**reading))))


def _message(text: str, **reading: Any) -> str:
    with pytest.raises(CallerError) as caught:
        _read(text, **reading)
    return str(caught.value)


def _entries(batch: Batch) -> list[dict[int, float]]:
    x = batch.sparse()
    cuts = zip(x.indptr, x.indptr[1:], strict=False)
    return [dict(zip(x.indices[a:b].tolist(), x.data[a:b].tolist(), strict=True)) for a, b in cuts]


def test_real_data_are_what_scikit_learn_reads() -> None:
    rows, labels = load_digits(return_X_y=True)
    out = io.BytesIO()
    dump_svmlight_file(rows, labels, out, zero_based=True)
    wanted, wanted_labels = load_svmlight_file(
        io.BytesIO(out.getvalue()), dtype=np.float32, zero_based=True
    )
    found = _read(out.getvalue())
    assert (found.sparse() != csr_array(wanted)).nnz == 0
    assert np.array_equal(found.labels(), wanted_labels)


@pytest.mark.parametrize("padding", ["", _PADDING], ids=["line by line", "block at once"])
class TestBothReaders:
    def test_absent_entries_stay_absent_and_zeros_that_are_written_stay(self, padding: str) -> None:
        found = _read("1 0:1 3:0\n\n0\n-1 2:5 # 1:7\n" + padding)
        assert _entries(found) == [{0: 1, 3: 0}, {}, {2: 5}]
        assert found.labels().tolist() == [1, 0, -1]
        assert found.width == 4

    def test_weights_stand_after_the_label(self, padding: str) -> None:
        found = _read("1:0.5 0:1\n-1:2 1:1\n" + padding)
        assert found.weights is not None
        assert found.weights.tolist() == [0.5, 2]
        assert _entries(found) == [{0: 1}, {1: 1}]

    def test_groups_stand_after_the_label(self, padding: str) -> None:
        found = _read("1 qid:7 0:1\n0 qid:8\n" + padding)
        assert found.extras["qid"].tolist() == [7, 8]
        assert _entries(found) == [{0: 1}, {}]

    def test_a_label_may_lack_where_none_is_wanted(self, padding: str) -> None:
        for text in ("0:5 1:3\n2:1\n", "1 0:5 1:3\n0 2:1\n", "0:5 1:3\n0 2:1\n"):
            found = _read(text + padding, label_size=0)
            assert found.label is None
            assert _entries(found) == [{0: 5, 1: 3}, {2: 1}]

    def test_indices_are_put_in_order(self, padding: str) -> None:
        assert list(_entries(_read("1 3:1 0:2 2:3\n" + padding))[0]) == [0, 2, 3]

    def test_blanks_tabs_and_line_ends_of_windows(self, padding: str) -> None:
        assert _entries(_read("  +1 \t 0:1\t2:3  \r\n" + padding)) == [{0: 1, 2: 3}]

    def test_missing_values_where_they_may_be(self, padding: str) -> None:
        assert np.isnan(_read("1 0:nan\n" + padding, missing=True).sparse().data).all()

    @pytest.mark.parametrize(
        ("text", "character", "rule"),
        [
            ("1 0:x", 3, "the value of 0"),
            ("1 0:", 3, "the value of 0"),
            ("1 :5", 3, "the index"),
            ("1 0: 5", 3, "the value of 0"),
            ("1 0:1:2", 3, "the value of 0"),
            ("1 0:1 5", 7, "must be index:value"),
            ("1  -1:5", 4, "whole number from 0"),
            ("1 1.5:5", 3, "whole number from 0"),
            ("1 3000000000:5", 3, "whole number from 0"),
            ("1 2:1 2:3", 7, "must not repeat"),
            ("one 0:1", 1, "the label"),
            ("1:2 0:1", 1, "without a weight"),
            ("1 qid:3 0:1", 3, "has no qid"),
            ("1 0:inf", 3, "finite"),
            ("1 0:1e39", 3, "finite"),
            ("1 0:nan", 3, "finite"),
            ("nan 0:1", 1, "finite"),
            ("1,0,5", 1, "Is this CSV?"),
        ],
    )
    def test_faults_name_line_and_character(
        self, text: str, character: int, rule: str, padding: str
    ) -> None:
        message = _message(f"1 0:1\n{text}\n{padding}")
        assert message.startswith(f"train.svm, line 2, character {character}: ")
        assert rule in message

    def test_a_group_that_lacks(self, padding: str) -> None:
        assert "line 2, character 1: must have a qid" in _message("1 qid:1\n0\n" + padding)

    def test_weights_are_not_negative(self, padding: str) -> None:
        assert "not negative" in _message("1:-1 0:1\n" + padding)

    def test_indices_beyond_the_width(self, padding: str) -> None:
        assert _read("1 4:1\n" + padding, width=5).width == 5
        message = _message("1 1:1 5:1\n" + padding, width=5)
        assert "character 7: must have an index below 5" in message
        assert "Indices start at 0" in message


def test_rows_become_as_wide_as_the_highest_index_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines.blocks, "__defaults__", (4096,))
    text = "1 2:1\n" * 1000 + "1 9:1\n" + "1 0:1\n" * 1000
    widths = [batch.width for batch in libsvm.decode(io.BytesIO(text.encode()), "x", Reading())]
    assert sorted(widths) == widths
    assert set(widths) == {3, 10}


def test_there_is_one_label() -> None:
    assert "one label" in _message("1 0:1\n", label_size=2)


_KINDS = (
    "1 -1 +1 0 nan inf x 1,2 1_0 ( 0:1 1:2.5 2:-0 3:0 4:1e5 2:nan 2:nan(1) 2:1e39 1:1e-50 5: :5 "
    "qid:3 qid:4 qid:x qid: xqid:1 1e1:2 3.0:1 -0:1 007:1 1.5:1 inf:1 -1:2 0:1:2 9:16777217 # #1:2 "
    "\v \x01 é"
)
_TOKENS = st.sampled_from(_KINDS.split(" "))
_ROWS = st.lists(st.lists(_TOKENS, max_size=5).map(" ".join), max_size=4).map("\n".join)


@given(_ROWS, st.booleans(), st.sampled_from([0, 1]), st.sampled_from([None, 4]))
def test_both_readers_agree(text: str, missing: bool, label_size: int, width: int | None) -> None:
    def outcome(padding: str) -> object:
        stream = io.BytesIO((text + "\n" + padding).encode())
        reading = Reading(missing=missing, label_size=label_size, width=width)
        try:
            batches = list(libsvm.decode(stream, "train.svm", reading))
        except CallerError as error:
            return str(error)
        return [(_entries(each), each.label, each.weights, each.extras) for each in batches]

    assert repr(outcome("")) == repr(outcome(_PADDING))


def test_rows_are_written_as_label_weight_group_and_entries() -> None:
    features = csr_array(np.array([[0, 0.5, 0], [0, 0, 0], [3, 0, 1e10]], np.float32))
    batch = Batch(
        features,
        np.array([1, 0, -1], np.float32),
        np.array([1, 0.25, 2], np.float32),
        {"qid": np.array([1, 1, 2])},
    )
    out = io.BytesIO()
    libsvm.encode([batch], out)
    assert out.getvalue() == b"1:1 qid:1 1:0.5\n0:0.25 qid:1\n-1:2 qid:2 0:3 2:1e+10\n"


def test_dense_rows_are_written_whole() -> None:
    out = io.BytesIO()
    libsvm.encode([Batch(np.array([[0, np.nan]], np.float32))], out)
    assert out.getvalue() == b"0:0 1:nan\n"


def test_what_has_no_place_is_not_written() -> None:
    rows = np.ones((1, 2), np.float32)
    with pytest.raises(CallerError, match="no place for uid"):
        libsvm.encode([Batch(rows, extras={"uid": np.ones(1)})], io.BytesIO())
    with pytest.raises(CallerError, match="no place for weights"):
        libsvm.encode([Batch(rows, weights=np.ones(1, np.float32))], io.BytesIO())
