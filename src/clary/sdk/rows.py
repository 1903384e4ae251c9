"""What people hold in Python, as batches: numpy, scipy sparse, pandas, polars, pyarrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import csr_array, issparse
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import _check_sample_weight, column_or_1d, validate_data

from clary.codecs.batch import Features


def features_of(estimator: Any, rows: Any, *, fitting: bool, missing: bool) -> Features:
    """(rows, width) float32, dense or CSR, checked as scikit-learn checks.

    Raises:
        ValueError: scikit-learn's own words for rows that do not fit.
    """
    # scikit-learn knows tables and data frames, and reads their columns' names
    known = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
    checked = validate_data(
        estimator,
        known,
        reset=fitting,
        dtype=np.float32,
        order="C",
        accept_sparse="csr",
        ensure_all_finite="allow-nan" if missing else True,
    )
    return csr_array(checked, dtype=np.float32) if issparse(checked) else checked


def labels_of(labels: Any, *, several: bool = False) -> npt.NDArray[Any]:
    """(rows,) of whatever kind the labels are, or (rows, labels) for several.

    Raises:
        ValueError: one column is wanted, and they are several or not finite.
    """
    column = np.asarray(labels if several else column_or_1d(labels, warn=True))
    if column.dtype.kind == "f" and not several:
        assert_all_finite(column, input_name="y")
    return column


def weights_of(weights: Any, rows: Any) -> npt.NDArray[np.float32] | None:
    """(rows,) float32, or None where all weigh the same.

    Raises:
        ValueError: they are not one for each row, or all 0.
    """
    if weights is None:
        return None
    checked = _check_sample_weight(weights, rows, dtype=np.float32, ensure_non_negative=True)
    if not checked.any():
        raise ValueError("sample_weight must not be zero for every row")
    return np.asarray(checked)
