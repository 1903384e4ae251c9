"""XGBoost as an estimator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from clary.algorithms.xgboost.model import XGBoostModel
from clary.codecs.batch import Batch
from clary.sdk.rows import labels_of
from clary.sdk.supervised import Supervised, Target

Floats = npt.NDArray[np.float32]

_TARGETS: dict[str, Target] = {"binary": "binary", "multi": "multiclass"}


def _has_trees(estimator: Any) -> bool:
    return bool(estimator.booster != "gblinear")


class XGBoost(Supervised, algorithm="xgboost"):
    """Gradient-boosted trees by the XGBoost library."""

    model_: XGBoostModel
    _count = "num_class"

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        validation: tuple[Any, ...] | None = None,
        qid: Any = None,
    ) -> Self:
        """Train on rows X of shape (rows, width) and labels y of shape (rows,).

        Args:
            X: numpy, scipy sparse, pandas, polars or pyarrow.
            y: any values for classifiers, else numbers; for survival:aft also (rows, 2), from when
                to when an event lies, where infinity means not yet.
            sample_weight: one weight a row.
            validation: (X, y) or (X, y, qid) held out for early stopping.
            qid: for ranking, the number of each row's query; it must not fall from row to row.

        Raises:
            CallerError: a hyperparameter or the data cannot be used; it is a ValueError too.
            ValueError: X, y, sample_weight or qid are not what scikit-learn takes.
        """
        held_out, queries = (validation or ())[:2], (validation or ())[2:]
        batches = self._batches(X, y, sample_weight, held_out or None)
        batches["train"] = _of_queries(batches["train"], qid)
        if queries:
            batches["validation"] = _of_queries(batches["validation"], queries[0])
        return self._train(batches)

    @property
    def feature_importances_(self) -> Floats:
        """(width,): each feature's mean gain of its splits, adding up to 1."""
        check_is_fitted(self)
        if not _has_trees(self):
            raise AttributeError("feature_importances_: booster gblinear has coefficients instead")
        model = self.model_
        known = model.importances()["gain"]
        names = model.boosters[0].feature_names or [f"f{i}" for i in range(model.width)]
        gains = np.array([known.get(name, 0) for name in names], dtype=np.float32)
        return np.asarray(gains / max(gains.sum(), np.finfo(np.float32).tiny))

    def _target(self) -> Target:
        return _TARGETS.get(str(self.objective).partition(":")[0], "number")

    def _gives_chances(self) -> bool:
        return self.objective in {"binary:logistic", "multi:softprob"}

    def _takes_several(self) -> bool:
        return bool(self.objective == "survival:aft")

    def _class_count(self) -> int:
        return int(self.params_.get("num_class") or 2)


def _of_queries(rows: Batch, qid: Any) -> Batch:
    if qid is None:
        return rows
    queries = labels_of(qid)
    check_consistent_length(rows.features, queries)
    return replace(rows, extras={"qid": queries.astype(np.int64)})
