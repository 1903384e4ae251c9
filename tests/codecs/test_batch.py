from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from clary.codecs.batch import Batch, concatenate
from clary.errors import CallerError

ROWS = np.array([[1, 0, 2], [0, 0, 3], [4, 5, 0]], np.float32)
LABEL = np.array([7, 8, 9], np.float32)


def _batches() -> tuple[Batch, Batch]:
    extras = {"qid": np.array([1, 1, 2])}
    return Batch(ROWS, LABEL, LABEL / 8, extras), Batch(csr_array(ROWS), LABEL, LABEL / 8, extras)


def test_dense_and_sparse_give_the_same_rows() -> None:
    for batch in _batches():
        assert (batch.rows, batch.width) == (3, 3)
        assert batch.dense().tolist() == ROWS.tolist()
        assert batch.sparse().toarray().tolist() == ROWS.tolist()
        assert batch.dense().dtype == batch.sparse().dtype == np.float32
    dense, sparse = _batches()
    assert (dense.is_sparse, sparse.is_sparse) == (False, True)
    assert dense.dense() is ROWS
    assert dense.nbytes == 4 * 9 + 4 * 3
    # 5 entries of value and column, 4 bounds, 3 labels
    assert sparse.nbytes == 5 * (4 + 4) + 4 * 4 + 4 * 3


def test_a_slice_has_all_parts_of_its_rows() -> None:
    for batch in _batches():
        part = batch.slice(1, 3)
        assert part.dense().tolist() == ROWS[1:].tolist()
        assert part.labels().tolist() == [8, 9]
        assert part.weights is not None
        assert part.weights.tolist() == [1, 1.125]
        assert part.extras["qid"].tolist() == [1, 2]
    assert np.shares_memory(_batches()[0].slice(1, 3).dense(), ROWS)


def test_parts_join_to_what_they_were_cut_from() -> None:
    for batch in _batches():
        joined = concatenate([batch.slice(0, 1), batch.slice(1, 1), batch.slice(1, 3)])
        assert joined.is_sparse == batch.is_sparse
        assert joined.dense().tolist() == ROWS.tolist()
        assert joined.labels().tolist() == LABEL.tolist()
        assert joined.extras["qid"].tolist() == [1, 1, 2]
        assert concatenate([batch]) is batch


def test_sparse_batches_are_widened_to_the_widest() -> None:
    narrow = Batch(csr_array(ROWS[:, :2]))
    joined = concatenate([narrow, Batch(csr_array(ROWS)), narrow])
    assert joined.dense()[:3, 2].tolist() == [0, 0, 0]
    assert joined.dense()[3:6].tolist() == ROWS.tolist()
    assert joined.sparse().indices.dtype == np.int32


def test_dense_and_sparse_join_to_sparse() -> None:
    joined = concatenate(_batches())
    assert joined.is_sparse
    assert joined.dense().tolist() == [*ROWS.tolist(), *ROWS.tolist()]


def test_labels_must_be_in_every_part_or_in_none() -> None:
    with pytest.raises(CallerError, match="either every row has one or none has"):
        concatenate([Batch(ROWS, LABEL), Batch(ROWS)])
    with pytest.raises(CallerError, match="these rows have none"):
        Batch(ROWS).labels()


def test_what_a_format_has_no_place_for_is_named() -> None:
    with pytest.raises(CallerError, match="JSON: has no place for weights, qid"):
        _batches()[0].refuse_extras("JSON")
    Batch(ROWS, LABEL).refuse_extras("JSON")
