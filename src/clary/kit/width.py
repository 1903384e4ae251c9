"""How many features a row has: settled once, then asked of every row."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from clary.codecs.batch import Batch, Features
from clary.errors import CallerError
from clary.kit.run import Run


def settle_feature_dim(run: Run[Any], first: Batch) -> int:
    """`feature_dim` as given, else the width of the first rows, the widest of all hosts'.

    Raises:
        CallerError: the first rows do not have the width that was given.
    """
    width = run.params.values()["feature_dim"]
    if width is None:
        width = int(max(part[0] for part in run.cluster.gather(np.array([first.width]))))
        run.resolved(feature_dim=width)
    if first.rows:
        features_of(first, width, "train")
    return int(width)


def features_of(batch: Batch, width: int, channel: str) -> Features:
    """(rows, width): the features as they are, or sparse ones widened with zeros.

    Raises:
        CallerError: dense rows of another width, or sparse ones that are wider.
    """
    narrower = batch.is_sparse and batch.width < width
    if batch.width != width and not narrower:
        raise CallerError.of(
            f"channel {channel}",
            f"every row must have {width} features (feature_dim)",
            batch.width,
            "Is the label or an index among the columns? CSV takes ;label_size=1 to drop one.",
        )
    return widened(batch.features, width)


def widened(features: Features, width: int) -> Features:
    """(rows, width): sparse rows, of a format without a declared width, get columns of zeros."""
    if isinstance(features, np.ndarray) or features.shape[1] == width:
        return features
    parts = (features.data, features.indices, features.indptr)
    return csr_array(parts, shape=(features.shape[0], width))
