"""Features that must be numbers: neither NaN nor infinite."""

from __future__ import annotations

import numpy as np

from clary.codecs.batch import Features
from clary.errors import CallerError


def check_finite(features: Features, channel: str, before: int = 0) -> None:
    """Refuse NaN and infinity; the first such is named.

    features: (rows, width), dense or CSR. before: how many rows of the channel came earlier.
    """
    values = features if isinstance(features, np.ndarray) else features.data
    # One bad value makes the sum bad; a good sum saves looking at each
    if np.isfinite(values.sum(dtype=np.float64)):
        return
    place = int(np.flatnonzero(~np.isfinite(values))[0])
    row, column = divmod(place, features.shape[1])
    if not isinstance(features, np.ndarray):
        row = int(np.searchsorted(features.indptr, place, side="right")) - 1
        column = int(features.indices[place])
    raise CallerError.of(
        f"channel {channel}, row {before + row + 1}, feature {column + 1}",
        "must be a finite number",
        float(values.flat[place]),
    )
