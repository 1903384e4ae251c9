"""t-SNE as an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from clary.algorithms.tsne.model import TSNEModel
from clary.sdk.transformer import Transformer

Floats = npt.NDArray[np.float32]


class TSNE(Transformer, algorithm="tsne"):
    """A map on which rows that are alike lie together, and into which new rows are placed.

    It needs openTSNE to be fitted: `pip install 'clary[tsne]'`.
    """

    model_: TSNEModel

    @property
    def embedding_(self) -> Floats:
        """(rows, num_components), the places of the training rows; of a loaded map, its own."""
        check_is_fitted(self)
        everywhere = self.model_.everywhere
        return self.model_.places if everywhere is None else everywhere

    @property
    def kl_divergence_(self) -> float:
        """How far the map's neighborhoods are from those of the rows, at the end."""
        return self._last()[1]

    @property
    def n_iter_(self) -> int:
        """Iterations done."""
        return self._last()[0]

    def fit_transform(self, X: Any, y: Any = None) -> Floats:
        """(rows, num_components), the places of the rows; y is ignored."""
        return self.fit(X, y).embedding_

    def transform(self, X: Any) -> Floats:
        """(rows, num_components), each row placed for itself; those on the map stay there."""
        return np.asarray(self._outputs(X)["embedding"], dtype=np.float32)

    def _last(self) -> tuple[int, float]:
        """The last iteration of the training, and the divergence after it."""
        check_is_fitted(self)
        if "train:kl_divergence" not in self.metrics_:
            raise AttributeError("how the map came about: a loaded model does not know")
        iteration, divergence = self.metrics_["train:kl_divergence"][-1]
        return int(iteration or 0), divergence

    @property
    def _n_features_out(self) -> int:
        return int(self.embedding_.shape[1])
