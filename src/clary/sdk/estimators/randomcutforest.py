"""Random cut forest as an estimator, for tables and for streams."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_array, check_is_fitted

from clary.algorithms.randomcutforest.filling import Forecast
from clary.algorithms.randomcutforest.model import RandomCutForestModel
from clary.algorithms.randomcutforest.spec import RandomCutForestHyperparameters
from clary.sdk.estimator import Estimator, value_errors

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


class RandomCutForest(OutlierMixin, Estimator, algorithm="randomcutforest"):  # type: ignore[misc]
    """Tells rows that are unlike the others, and can follow a stream.

    `score_update` and `update` go on from a fitted forest, or begin an empty one.
    """

    model_: RandomCutForestModel

    @property
    def offset_(self) -> float:
        """Minus the score above which a row is anomalous: mean and three standard deviations."""
        check_is_fitted(self)
        return -self.model_.limit

    def score_samples(self, X: Any) -> Doubles:
        """Minus SageMaker's score of each row, (rows,): the lower, the more anomalous."""
        return -np.asarray(self._outputs(X)["score"], dtype=np.float64)

    def decision_function(self, X: Any) -> Doubles:
        """How far below the threshold the score of each row is, (rows,): negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> npt.NDArray[np.int64]:
        """-1 for anomalies and 1 for other rows, (rows,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def attribution(self, X: Any, *, lags: bool = False) -> Doubles:
        """What each feature adds to SageMaker's score of each row: (rows, width).

        With `lags`, what each feature of each row of the shingle adds: (rows, shingle_size, width),
        the oldest row first.
        """
        check_is_fitted(self)
        rows = self._rows(X)
        with value_errors():
            return self.model_.attributions(rows, lags=lags)

    def impute(self, X: Any) -> Floats:
        """The rows with NaN replaced by the median of what the trees' nearest rows have there."""
        check_is_fitted(self)
        rows = check_array(X, dtype=np.float32, order="C", ensure_all_finite="allow-nan")
        with value_errors():
            return self.model_.imputed(rows)

    def forecast(self, horizon: int) -> Forecast:
        """The next rows of a series that was fitted or followed with shingle_size of at least 2."""
        check_is_fitted(self)
        with value_errors():
            return self.model_.forecast(int(horizon))

    def score_update(self, x: Any) -> float:
        """SageMaker's score of the next row of a stream, (width,), which then joins the forest.

        It is 0 until the forest has seen rows enough: a quarter of num_samples_per_tree.

        Raises:
            CallerError: x has another width than the rows before, or a number that is not finite;
                it is a ValueError too, and the forest stays as it is.
        """
        return self._updated(x, score=True)

    def update(self, x: Any) -> None:
        """Let the next row of a stream, (width,), join the forest without asking for its score."""
        self._updated(x, score=False)

    def _updated(self, x: Any, *, score: bool) -> float:
        row = np.atleast_1d(np.asarray(x, dtype=np.float32))
        with value_errors():
            if not hasattr(self, "model_"):
                self._begin(row)
            return self.model_.update(row, score=score)

    def _begin(self, row: Floats) -> None:
        """An empty forest for rows of this width."""
        given = {"feature_dim": row.size, **self._given()}
        params = RandomCutForestHyperparameters.parse(given)
        model = RandomCutForestModel.empty(params, int(getattr(self, "seed", 0) or 0))
        model.check(row)
        self._restore(model, {})

    def _given(self) -> dict[str, Any]:
        return {name: v for name, v in self._hyperparameters().items() if v is not None}
