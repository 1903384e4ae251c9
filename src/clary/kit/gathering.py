"""Rows of all hosts brought together on each of them."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from clary.codecs.batch import Features
from clary.kit.cluster import Cluster


def gathered(cluster: Cluster, features: Features) -> Features:
    """Every host's rows, (rows, width), in the order of the hosts; sparse if any host's are."""
    if cluster.size == 1:
        return features
    sparse = not isinstance(features, np.ndarray)
    if not cluster.all_reduce(np.array([int(sparse)]))[0]:
        return np.concatenate(cluster.gather(np.asarray(features)))
    own = csr_array(features, dtype=np.float32)
    lengths = np.concatenate(cluster.gather(np.diff(own.indptr).astype(np.int64)))
    columns = np.concatenate(cluster.gather(own.indices.astype(np.int64)))
    values = np.concatenate(cluster.gather(own.data))
    ends = np.append(0, np.cumsum(lengths))
    return csr_array((values, columns, ends), shape=(len(lengths), own.shape[1]))
