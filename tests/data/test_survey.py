"""The survey counts what numpy counts."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from sklearn.datasets import load_wine

from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.data.survey import Survey, survey


def test_columns_of_real_rows_are_described_as_numpy_describes_them() -> None:
    rows, kinds = load_wine(return_X_y=True)
    seen = survey(MemoryChannel("train", Batch(rows.astype(np.float32), kinds.astype(np.float32))))
    assert (seen.rows, seen.width) == rows.shape
    np.testing.assert_allclose(seen.mean, rows.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(seen.deviation, rows.std(axis=0), rtol=1e-4)
    np.testing.assert_allclose(seen.low, rows.min(axis=0), rtol=1e-6)
    np.testing.assert_allclose(seen.high, rows.max(axis=0), rtol=1e-6)
    assert seen.labels == {0.0: 59, 1.0: 71, 2.0: 48}


def test_missing_values_are_counted_and_left_out_of_the_mean() -> None:
    rows = np.array([[1.0, np.nan], [3.0, 4.0]], dtype=np.float32)
    seen = survey(MemoryChannel("train", Batch(rows)))
    assert seen.missing.tolist() == [0, 1]
    assert seen.mean.tolist() == [2, 4]


def test_constant_columns_are_found() -> None:
    rows = np.array([[1.0, 7.0, 0.0], [3.0, 7.0, 0.0]], dtype=np.float32)
    assert survey(MemoryChannel("train", Batch(rows))).constant.tolist() == [1, 2]


def test_a_later_wider_sparse_batch_widens_what_was_seen() -> None:
    seen = Survey()
    seen.add(Batch(csr_array(np.array([[1.0, 2.0]], dtype=np.float32))))
    seen.add(Batch(csr_array(np.array([[0.0, 4.0, 5.0]], dtype=np.float32))))
    assert seen.low.tolist() == [0, 2, 0]
    assert seen.high.tolist() == [1, 4, 5]
    assert seen.zeros.tolist() == [1, 0, 1]


def test_many_label_values_are_not_kept() -> None:
    rows = np.zeros((3000, 1), dtype=np.float32)
    label = np.arange(3000, dtype=np.float32)
    seen = survey(MemoryChannel("train", Batch(rows, label)))
    assert seen.labels is None
    assert (seen.label_low, seen.label_high) == (0, 2999)
