"""K-means as an estimator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClusterMixin
from sklearn.utils.validation import check_is_fitted

from clary.algorithms.kmeans.model import KMeansModel
from clary.sdk.rows import weights_of
from clary.sdk.transformer import Transformer

Floats = npt.NDArray[np.float32]


class KMeans(ClusterMixin, Transformer, algorithm="kmeans"):  # type: ignore[misc]
    """Web-scale k-means: one pass over the data.

    Attributes after `fit`:
        labels_: the nearest center of each training row, (rows,).
        inertia_: sum of the training rows' squared distances to it, each times its weight.
    """

    model_: KMeansModel
    labels_: npt.NDArray[np.int32]
    inertia_: float

    @property
    def cluster_centers_(self) -> Floats:
        """(k, width)."""
        check_is_fitted(self)
        return self.model_.centers

    def fit(self, X: Any, y: Any = None, *, sample_weight: Any = None) -> Self:
        """Cluster the rows of X, of shape (rows, width); y is ignored.

        Args:
            X: numpy, scipy sparse, pandas, polars or pyarrow.
            y: takes the place that scikit-learn's pipelines give it.
            sample_weight: one weight a row.

        Raises:
            CallerError: a hyperparameter or the data cannot be used; it is a ValueError too.
            ValueError: X or sample_weight are not what scikit-learn takes.
        """
        rows = self._rows(X, fitting=True)
        weights = weights_of(sample_weight, rows.features)
        self._train({"train": replace(rows, weights=weights)})
        outputs = self.model_.predict(rows)
        self.labels_ = np.asarray(outputs["closest_cluster"], dtype=np.int32)
        self.inertia_ = _inertia(outputs["distance_to_cluster"], weights)
        return self

    def predict(self, X: Any) -> npt.NDArray[np.int32]:
        """The nearest center's row for each row, of shape (rows,)."""
        return np.asarray(self._outputs(X)["closest_cluster"], dtype=np.int32)

    def transform(self, X: Any) -> Floats:
        """Euclidean distance of each row to each center: (rows, k)."""
        check_is_fitted(self)
        return self.model_.distances(self._rows(X))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Minus the sum of squared distances to the nearest center, as scikit-learn has it."""
        outputs = self._outputs(X)
        distances = outputs["distance_to_cluster"]
        return -_inertia(distances, weights_of(sample_weight, distances))

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)


def _inertia(distances: npt.NDArray[Any], weights: Floats | None) -> float:
    squares = distances.astype(np.float64) ** 2
    return float(squares.sum() if weights is None else squares @ weights)
