"""IP Insights as an estimator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from clary.algorithms.ipinsights.hashing import places
from clary.algorithms.ipinsights.model import IPInsightsModel
from clary.algorithms.ipinsights.spec import PAIR
from clary.codecs.batch import Batch
from clary.sdk.columns import batch_of, texts
from clary.sdk.estimator import Estimator, value_errors

Floats = npt.NDArray[np.float32]


class IPInsights(Estimator, algorithm="ipinsights"):
    """Which addresses go with which entities: vectors whose product is low for an unusual pair.

    X are pairs of an entity and an address: a table of two columns, or an array or list of pairs of
    strings.
    """

    model_: IPInsightsModel

    def fit(self, X: Any, y: Any = None, *, validation: Any = None) -> Self:
        """Learn from the pairs of X, of shape (rows, 2); y is ignored.

        Args:
            X: numpy, pandas, polars, pyarrow, or a list of pairs, in random order.
            y: takes the place that scikit-learn's pipelines give it.
            validation: pairs to measure the AUC on after each epoch; it is in `metrics_`.

        Raises:
            CallerError: a hyperparameter or a pair cannot be used; it is a ValueError too.
        """
        batches = {"train": self._rows(X, fitting=True)}
        if validation is not None:
            batches["validation"] = self._rows(validation)
        return self._train(batches)

    def score_samples(self, X: Any) -> Floats:
        """The log odds that each pair is real, of shape (rows,): low is unusual."""
        return np.asarray(self._outputs(X)["dot_product"])

    def predict(self, X: Any) -> Floats:
        """What an endpoint answers: as `score_samples`."""
        return self.score_samples(X)

    def entity_embeddings(self, entities: Iterable[Any]) -> Floats:
        """(entities, vector_dim). One that train lacks gets the vector of where it hashes."""
        check_is_fitted(self)
        table = self.model_.entities
        return np.asarray(table[places(texts(entities), len(table))])

    def ip_embeddings(self, addresses: Iterable[Any]) -> Floats:
        """(addresses, vector_dim)."""
        check_is_fitted(self)
        # Any entity will do
        with value_errors():
            pairs = self.model_.pairs(batch_of([(PAIR[0].example, one) for one in addresses], PAIR))
        return self.model_.encoder.vectors(pairs.addresses)

    def _rows(self, X: Any, *, fitting: bool = False) -> Batch:
        with value_errors():
            batch = batch_of(X, PAIR)
        if fitting:
            self.n_features_in_ = batch.width
        return batch
