"""Labels and features of labelled rows, checked: what each predictor takes."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.kit.width import features_of

Floats: TypeAlias = npt.NDArray[np.float32]


def labels_of(batch: Batch, predictor_type: str, channel: str, before: int) -> Floats:
    """(rows,) labels: 0 or 1 for a binary_classifier, any finite numbers for a regressor.

    before: how many rows of the channel came earlier.

    Raises:
        CallerError: there are none, several a row, or one that the predictor does not take; the
            first such row is named.
    """
    labels = batch.labels()
    if labels.size != batch.rows:
        rule = "factorization machines take one label a row"
        raise CallerError.of(f"channel {channel}", rule, labels.shape[1])
    labels = labels.reshape(-1)
    binary = predictor_type == "binary_classifier"
    right = (labels == 0) | (labels == 1) if binary else np.isfinite(labels)
    if not right.all():
        row = int(np.flatnonzero(~right)[0])
        raise CallerError.of(
            f"channel {channel}, row {before + row + 1}, label",
            "must be 0 or 1 for a binary_classifier" if binary else "must be a finite number",
            float(labels[row]),
            "In text the label comes first." if binary else "",
        )
    return labels


def entries_of(batch: Batch, width: int, channel: str, before: int) -> csr_array:
    """(rows, width): the features as CSR without zeros, so that dense rows are as sparse ones.

    before: how many rows of the channel came earlier.

    Raises:
        CallerError: rows are of another width, or a number is not finite.
    """
    rows = csr_array(features_of(batch, width, channel))
    # One bad value makes the sum bad; a good sum saves looking at each
    if not np.isfinite(rows.data.sum(dtype=np.float64)):
        place = int(np.flatnonzero(~np.isfinite(rows.data))[0])
        row = before + int(np.searchsorted(rows.indptr, place, side="right"))
        raise CallerError.of(
            f"channel {channel}, row {row}, feature {int(rows.indices[place]) + 1}",
            "must be a finite number",
            float(rows.data[place]),
        )
    if not rows.data.all():
        rows = rows.copy()
        rows.eliminate_zeros()
    # One kind of column numbers, for which the kernels are compiled
    columns = rows.indices.astype(np.int32, copy=False)
    return csr_array((rows.data, columns, rows.indptr), shape=rows.shape)
