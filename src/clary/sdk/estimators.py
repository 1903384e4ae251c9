"""The estimators by name: what `from clary import KMeans` gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.sdk import saved
from clary.sdk.estimator import Estimator
from clary.sdk.rows import labels_of, weights_of
from clary.sdk.supervised import Supervised, Target

Floats = npt.NDArray[np.float32]

_PREDICTORS: dict[str, Target] = {
    "binary_classifier": "binary",
    "multiclass_classifier": "multiclass",
    "multilabel_classifier": "multilabel",
}


def _has_hinge_loss(estimator: Any) -> bool:
    return bool(estimator.loss == "hinge_loss")


def _has_trees(estimator: Any) -> bool:
    return bool(estimator.booster != "gblinear")


class LinearLearner(Supervised, algorithm="linear-learner"):
    """Linear classification and regression, many models at once."""

    _count = "num_classes"

    @property
    def coef_(self) -> Floats:
        """Coefficients on the features' own scale: (width,) of regressors, or (outputs, width)."""
        check_is_fitted(self)
        weights: Floats = self.model_.weights  # type: ignore[attr-defined]
        return weights[0] if self._target() == "number" else weights

    @property
    def intercept_(self) -> Any:
        """One number of regressors, else (outputs,)."""
        check_is_fitted(self)
        bias: Floats = self.model_.bias  # type: ignore[attr-defined]
        return bias[0] if self._target() == "number" else bias

    @available_if(_has_hinge_loss)  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Floats:
        """How far each row's score lies above the threshold, of shape (rows,)."""
        score = np.asarray(self._outputs(X)["score"])
        threshold = np.float32(self.model_.threshold)  # type: ignore[attr-defined]
        return np.asarray(score - threshold)

    def _target(self) -> Target:
        return _PREDICTORS.get(str(self.predictor_type), "number")

    def _gives_chances(self) -> bool:
        return self._target() != "number" and not _has_hinge_loss(self)

    def _hyperparameters(self) -> dict[str, Any]:
        """SageMaker's multiclass learning starts at three classes; two are learned as binary.

        The likelier one is then answered, as among several.
        """
        given = super()._hyperparameters()
        if self._target() != "multiclass" or len(self.classes_) > 2:
            return given
        balanced = str(given["balance_multiclass_weights"]).lower() == "true"
        return {
            **{name: value for name, value in given.items() if name not in {"num_classes", "loss"}},
            "predictor_type": "binary_classifier",
            "binary_classifier_model_selection_criteria": "loss_function",
            "positive_example_weight_mult": "balanced" if balanced else 1.0,
        }

    def _class_count(self) -> int:
        return max(2, len(self.model_.weights))  # type: ignore[attr-defined]

    def _numbered(self, labels: npt.NDArray[Any], *, fitting: bool) -> npt.NDArray[Any]:
        numbers = super()._numbered(labels, fitting=fitting)
        if len(self.classes_) < 2:
            raise ValueError("y has one class only; a classifier needs rows of two classes")
        return numbers


class XGBoost(Supervised, algorithm="xgboost"):
    """Gradient-boosted trees by the XGBoost library."""

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
        model: Any = self.model_
        known = model.importances()["gain"]
        names = model.boosters[0].feature_names or [f"f{i}" for i in range(model.width)]
        gains = np.array([known.get(name, 0) for name in names], dtype=np.float32)
        return np.asarray(gains / max(gains.sum(), np.finfo(np.float32).tiny))

    def _target(self) -> Target:
        kind = str(self.objective).partition(":")[0]
        return {"binary": "binary", "multi": "multiclass"}.get(kind, "number")  # type: ignore[return-value]

    def _gives_chances(self) -> bool:
        return self.objective in {"binary:logistic", "multi:softprob"}

    def _takes_several(self) -> bool:
        return bool(self.objective == "survival:aft")

    def _class_count(self) -> int:
        return int(self.params_.get("num_class") or 2)


class _Transformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):  # type: ignore[misc]
    """Gives rows other features, always in float32."""

    @property
    def _n_features_out(self) -> int:
        raise NotImplementedError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class KMeans(ClusterMixin, _Transformer, algorithm="kmeans"):  # type: ignore[misc]
    """Web-scale k-means: one pass over the data.

    Attributes after `fit`:
        labels_: the nearest center of each training row, (rows,).
        inertia_: sum of the training rows' squared distances to it, each times its weight.
    """

    labels_: npt.NDArray[np.int32]
    inertia_: float

    @property
    def cluster_centers_(self) -> Floats:
        """(k, width)."""
        check_is_fitted(self)
        centers: Floats = self.model_.centers  # type: ignore[attr-defined]
        return centers

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
        distances: Floats = self.model_.distances(self._rows(X))  # type: ignore[attr-defined]
        return distances

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Minus the sum of squared distances to the nearest center, as scikit-learn has it."""
        outputs = self._outputs(X)
        distances = outputs["distance_to_cluster"]
        return -_inertia(distances, weights_of(sample_weight, distances))

    @property
    def _n_features_out(self) -> int:
        return len(self.cluster_centers_)


class PCA(_Transformer, algorithm="pca"):
    """Principal components, in SageMaker's order: the first component is the last column."""

    @property
    def components_(self) -> Floats:
        """(num_components, width), from the smallest singular value to the largest."""
        check_is_fitted(self)
        vectors: Floats = self.model_.v  # type: ignore[attr-defined]
        return vectors.T

    @property
    def singular_values_(self) -> Floats:
        """(num_components,), ascending."""
        check_is_fitted(self)
        values: Floats = self.model_.s  # type: ignore[attr-defined]
        return values

    @property
    def mean_(self) -> Floats | None:
        """(width,), or None where nothing is subtracted."""
        check_is_fitted(self)
        mean: Floats | None = self.model_.mean  # type: ignore[attr-defined]
        return mean

    @property
    def explained_variance_ratio_(self) -> npt.NDArray[np.float64]:
        """Each component's share of the training rows' variance, (num_components,), ascending."""
        check_is_fitted(self)
        variance = self.model_.variance  # type: ignore[attr-defined]
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


ESTIMATORS: dict[str, type[Estimator]] = {
    kind.algorithm.name: kind for kind in (LinearLearner, KMeans, PCA, XGBoost)
}


def load(path: str | Path) -> Estimator:
    """The estimator of a saved model, whoever trained it: a folder or a `model.tar.gz`.

    Raises:
        CallerError: it is not a model, or not one that Clary knows.
    """
    model, notes = saved.load(Path(path))
    kind = ESTIMATORS.get(model.algorithm.name)
    if kind is None:
        raise CallerError.of(f"model {path}", "has no estimator in Python", model.algorithm.name)
    return kind.restored(model, notes)


def _inertia(distances: npt.NDArray[Any], weights: Floats | None) -> float:
    squares = distances.astype(np.float64) ** 2
    return float(squares.sum() if weights is None else squares @ weights)


def _of_queries(rows: Batch, qid: Any) -> Batch:
    if qid is None:
        return rows
    queries = labels_of(qid)
    check_consistent_length(rows.features, queries)
    return replace(rows, extras={"qid": queries.astype(np.int64)})
