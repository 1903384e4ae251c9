"""Scaling: mean and deviation of features and label, learned on the first rows of train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters
from clary.codecs.batch import Batch, Features
from clary.kit.cluster import Cluster

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

# A value of the sample may lie this many scales from the center. The deviation of a feature that
# is nearly always 0 is so small that the few other values would throw any optimizer off. In sparse
# rows, where all features are like this, rare ones would weigh too much beside frequent ones.
_FARTHEST, _FARTHEST_SPARSE = 10.0, 2.0
_CHUNK_ROWS = 1000


@dataclass(frozen=True)
class Scaling:
    """Training sees (feature - mean) / scale and (label - label_mean) / label_scale.

    mean, scale: (width,). `scale` is 1 for features that do not vary in the sample; `varying` says
    which do.
    """

    mean: Floats
    scale: Floats
    varying: npt.NDArray[np.bool_]
    label_mean: float = 0.0
    label_scale: float = 1.0

    @property
    def width(self) -> int:
        return len(self.mean)

    @property
    def inverse(self) -> Floats:
        """1 / scale."""
        return np.reciprocal(self.scale)

    def label(self, labels: Floats) -> Floats:
        """Labels as training sees them."""
        if self.label_mean == 0 and self.label_scale == 1:
            return labels
        return (labels - np.float32(self.label_mean)) / np.float32(self.label_scale)

    def to_training(self, weights: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """Weights (outputs, width) and bias (outputs,) of the features' own scale, as trained."""
        inside = weights.astype(np.float64)
        shift = bias + inside @ self.mean - self.label_mean
        inside *= self.scale
        return _single(inside / self.label_scale), _single(shift / self.label_scale)

    def to_features(self, weights: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """The inverse of `to_training`."""
        outside = weights.astype(np.float64) * self.label_scale / self.scale
        shift = bias * self.label_scale + self.label_mean - outside @ self.mean
        return _single(outside), _single(shift)


def scaling_of(
    sample: Batch,
    params: LinearLearnerHyperparameters,
    width: int,
    sparse: bool,
    cluster: Cluster,
) -> Scaling:
    """The scaling of settled hyperparameters, from all hosts' samples."""
    moments = _moments(sample, width, cluster)
    mean = moments.mean if params.unbias_data else np.zeros(width)
    farthest = np.maximum(moments.high - mean, mean - moments.low)
    limit = _FARTHEST_SPARSE if sparse else _FARTHEST
    deviation = np.maximum(moments.deviation, farthest / limit)
    scale = deviation if params.normalize_data else np.ones(width)
    label_mean, label_scale = 0.0, 1.0
    if params.predictor_type == "regressor":
        label_mean, label_scale = _label_scaling(sample, params, cluster)
    return Scaling(
        _single(mean),
        _single(np.where(scale > 0, scale, 1)),
        moments.high > moments.low,
        label_mean,
        label_scale,
    )


@dataclass(frozen=True)
class _Moments:
    mean: Doubles
    deviation: Doubles
    low: Doubles
    high: Doubles


def _moments(sample: Batch, width: int, cluster: Cluster) -> _Moments:
    """Of each column over all hosts; in two passes, so that a large mean costs no digits."""
    features = sample.features
    sums = np.zeros(width)
    low, high = np.zeros((1, width)), np.zeros((1, width))
    if not sample.rows:  # a host may have none
        low[:], high[:] = np.inf, -np.inf
    elif isinstance(features, np.ndarray):
        sums[:] = features.sum(axis=0, dtype=np.float64)
        low[0], high[0] = features.min(axis=0), features.max(axis=0)
    else:
        sums[:] = np.bincount(features.indices, features.data, width)
        low[0, : sample.width] = features.min(axis=0).toarray()
        high[0, : sample.width] = features.max(axis=0).toarray()
    rows, *total = cluster.all_reduce(np.append(float(sample.rows), sums))
    mean = np.asarray(total) / rows
    squares = cluster.all_reduce(_squares(features, mean, sums))
    return _Moments(
        mean,
        np.sqrt(np.maximum(squares, 0) / rows),
        np.min(cluster.gather(low), axis=0)[0],
        np.max(cluster.gather(high), axis=0)[0],
    )


def _squares(features: Features, mean: Doubles, sums: Doubles) -> Doubles:
    """Sum of squared distances from the mean, by column."""
    rows = int(features.shape[0])
    if isinstance(features, np.ndarray):
        squares = np.zeros(len(mean))
        for start in range(0, rows, _CHUNK_ROWS):
            squares += np.square(features[start : start + _CHUNK_ROWS] - mean).sum(axis=0)
        return squares
    raw = np.bincount(features.indices, np.square(features.data, dtype=np.float64), len(mean))
    return np.asarray(raw - 2 * mean * sums + rows * mean**2)


def _label_scaling(
    sample: Batch, params: LinearLearnerHyperparameters, cluster: Cluster
) -> tuple[float, float]:
    labels = np.concatenate(cluster.gather(sample.labels().reshape(-1).astype(np.float64)))
    mean = float(labels.mean()) if params.unbias_label else 0.0
    scale = float(labels.std()) if params.normalize_label else 1.0
    return mean, scale or 1.0


def _single(values: Doubles) -> Floats:
    return np.ascontiguousarray(values, dtype=np.float32)
