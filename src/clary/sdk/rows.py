"""What people hold in Python, as batches: numpy, scipy sparse, pandas, polars, pyarrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import csr_array, issparse
from sklearn.utils.validation import column_or_1d, validate_data

from clary.codecs.batch import Batch, Features


def features_of(estimator: Any, rows: Any, *, fitting: bool, missing: bool) -> Features:
    """(rows, width) float32, dense or CSR, checked as scikit-learn checks.

    Raises:
        ValueError: scikit-learn's own words for rows that do not fit.
    """
    checked = validate_data(
        estimator,
        _as_known(rows),
        reset=fitting,
        dtype=np.float32,
        order="C",
        accept_sparse="csr",
        ensure_all_finite="allow-nan" if missing else True,
    )
    return csr_array(checked, dtype=np.float32) if issparse(checked) else checked


def labels_of(labels: Any) -> npt.NDArray[Any]:
    """(rows,) of whatever kind the labels are."""
    return np.asarray(column_or_1d(_as_known(labels), warn=True))


def batch_of(features: Features, labels: npt.NDArray[Any] | None, weights: Any = None) -> Batch:
    """Rows with numeric labels and weights."""
    return Batch(
        features,
        None if labels is None else np.ascontiguousarray(labels, dtype=np.float32),
        None if weights is None else np.ascontiguousarray(weights, dtype=np.float32),
    )


def _as_known(rows: Any) -> Any:
    """scikit-learn knows numpy, scipy and data frames; arrow tables and columns it does not."""
    if isinstance(rows, (pa.Table, pa.RecordBatch)):
        return rows.to_pandas() if _has_pandas() else np.column_stack([*map(np.asarray, rows)])
    if isinstance(rows, (pa.Array, pa.ChunkedArray)):
        return rows.to_numpy(zero_copy_only=False)
    if type(rows).__module__.startswith("polars"):
        return rows.to_numpy() if rows.__class__.__name__ == "Series" else rows
    return rows


def _has_pandas() -> bool:
    try:
        import pandas  # noqa: F401
    except ImportError:
        return False
    return True
