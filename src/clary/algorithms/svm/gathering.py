"""All rows of train in one place: the solvers need them at once, on every host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from clary.algorithms.svm.spec import SVMHyperparameters
from clary.codecs.batch import Batch, Features
from clary.errors import CallerError
from clary.kit.cluster import Cluster
from clary.kit.finite import check_finite
from clary.kit.gathering import gathered
from clary.kit.labels import checked_labels, checked_weights
from clary.kit.run import Run
from clary.kit.width import features_of, settle_feature_dim

SVMRun = Run[SVMHyperparameters]


@dataclass(frozen=True)
class TrainingRows:
    """features: (rows, width) float32; label: (rows,); weights: (rows,) or None, meaning 1."""

    features: Features
    label: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32] | None

    @property
    def count(self) -> int:
        return len(self.label)


def training_rows(run: SVMRun) -> TrainingRows:
    """Every host's rows of train, in the order of the hosts, on each of them.

    Raises:
        CallerError: a row does not fit, or a label is not what the predictor takes.
    """
    batch = run.train.read()
    width = settle_feature_dim(run, batch)
    own = _checked(batch, width, run.params.predictor_type)
    rows = own if run.cluster.size == 1 else _over_hosts(run, own)
    return rows if rows.weights is None else _that_weigh(rows)


def _checked(batch: Batch, width: int, predictor_type: str) -> TrainingRows:
    if not batch.rows:
        none = np.zeros(0, np.float32)
        return TrainingRows(np.zeros((0, width), np.float32), none, None)
    features = _indexed(features_of(batch, width, "train"))
    check_finite(features, "train")
    label = checked_labels(batch, predictor_type, "train")
    return TrainingRows(features, label, checked_weights(batch, "train"))


def _indexed(features: Features) -> Features:
    """Sparse rows with indices of 32 bits, as the solvers have them."""
    if isinstance(features, np.ndarray):
        return features
    if max(features.nnz, features.shape[1]) > np.iinfo(np.int32).max:
        raise CallerError.of(
            "channel train", "must have less than 2³¹ features and numbers", features.nnz
        )
    parts = (features.data, *(one.astype(np.int32) for one in (features.indices, features.indptr)))
    return csr_array(parts, shape=features.shape)


def _over_hosts(run: SVMRun, own: TrainingRows) -> TrainingRows:
    cluster = run.cluster
    if not run.train.sharded:
        run.log("every host reads all rows of train")
        return own
    counts = [int(part[0]) for part in cluster.gather(np.array([own.count]))]
    run.log(
        f"solvers need all rows at once: {sum(counts)} rows of {cluster.size} hosts are brought "
        "together on each"
    )
    weighted = _anywhere(cluster, own.weights is not None)
    weights = np.ones(own.count, np.float32) if own.weights is None else own.weights
    return TrainingRows(
        _indexed(gathered(cluster, own.features)),
        np.concatenate(cluster.gather(own.label)),
        np.concatenate(cluster.gather(weights)) if weighted else None,
    )


def _anywhere(cluster: Cluster, here: bool) -> bool:
    return bool(cluster.all_reduce(np.array([int(here)]))[0])


def _that_weigh(rows: TrainingRows) -> TrainingRows:
    """Rows without weight are no rows."""
    assert rows.weights is not None
    kept = rows.weights > 0
    if kept.all():
        return rows
    return TrainingRows(rows.features[kept], rows.label[kept], rows.weights[kept])
