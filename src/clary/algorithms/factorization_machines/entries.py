"""The numbers that rows hold, checked."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from clary.codecs.batch import Batch
from clary.kit.finite import check_finite
from clary.kit.width import features_of


def entries_of(batch: Batch, width: int, channel: str, before: int) -> csr_array:
    """(rows, width): the features as CSR without zeros, so that dense rows are as sparse ones.

    before: how many rows of the channel came earlier.

    Raises:
        CallerError: rows are of another width, or a number is not finite.
    """
    rows = csr_array(features_of(batch, width, channel))
    check_finite(rows, channel, before)
    if not rows.data.all():
        rows = rows.copy()
        rows.eliminate_zeros()
    # One kind of column numbers, for which the kernels are compiled
    columns = rows.indices.astype(np.int32, copy=False)
    return csr_array((rows.data, columns, rows.indptr), shape=rows.shape)
