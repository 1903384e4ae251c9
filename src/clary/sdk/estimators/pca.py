"""PCA as an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from clary.algorithms.pca.model import PCAModel
from clary.sdk.transformer import Transformer

Floats = npt.NDArray[np.float32]


class PCA(Transformer, algorithm="pca"):
    """Principal components, in SageMaker's order: the first component is the last column."""

    model_: PCAModel

    @property
    def components_(self) -> Floats:
        """(num_components, width), from the smallest singular value to the largest."""
        check_is_fitted(self)
        return self.model_.v.T

    @property
    def singular_values_(self) -> Floats:
        """(num_components,), ascending."""
        check_is_fitted(self)
        return self.model_.s

    @property
    def mean_(self) -> Floats | None:
        """(width,), or None where nothing is subtracted."""
        check_is_fitted(self)
        return self.model_.mean

    @property
    def explained_variance_ratio_(self) -> npt.NDArray[np.float64]:
        """Each component's share of the training rows' variance, (num_components,), ascending."""
        check_is_fitted(self)
        variance = self.model_.variance
        if variance is None:
            raise AttributeError("explained_variance_ratio_: the model's file does not hold it")
        squares = self.singular_values_.astype(np.float64) ** 2
        return np.asarray(squares / max(variance, np.finfo(float).tiny))

    def transform(self, X: Any) -> Floats:
        """(rows, num_components), the largest component last."""
        return np.asarray(self._outputs(X)["projection"], dtype=np.float32)

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)
