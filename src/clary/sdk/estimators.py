"""The estimators by name: what `from clary import KMeans` gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import ClusterMixin, TransformerMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.sdk.estimator import Estimator, estimator_of
from clary.sdk.rows import features_of


def _is_classifier(estimator: Any) -> bool:
    return bool(estimator._classifies())


class _Supervised(Estimator):
    """Predicts a label: a class of `classes_` or a number."""

    classes_: npt.NDArray[Any]

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The label of each row, of shape (rows,): a class, or a number for regressors."""
        outputs = self._outputs(X)
        if not self._classifies():
            return np.asarray(outputs["score"], dtype=np.float64)
        return self.classes_[np.asarray(outputs["predicted_label"], dtype=np.int64)]

    @available_if(_is_classifier)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> npt.NDArray[Any]:
        """The score of each class, of shape (rows, classes); probabilities where the loss is one.

        The binary label may be cut elsewhere than at 0.5: see the model selection criteria.
        """
        score = np.asarray(self._outputs(X)["score"], dtype=np.float64)
        return score if score.ndim == 2 else np.column_stack([1 - score, score])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy for classifiers, the coefficient of determination for regressors."""
        measure = accuracy_score if self._classifies() else r2_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))

    def _classifies(self) -> bool:
        raise NotImplementedError

    def _binary(self) -> bool:
        raise NotImplementedError

    def _numbered(self, labels: npt.NDArray[Any], *, fitting: bool) -> npt.NDArray[Any]:
        if not self._classifies():
            return super()._numbered(labels, fitting=fitting)
        check_classification_targets(labels)
        if fitting:
            self.classes_ = np.unique(labels)
            if self._binary() and len(self.classes_) > 2:
                raise ValueError(
                    "Only binary classification is supported. The type of the target is "
                    f"multiclass: {len(self.classes_)} classes."
                )
        encoder = LabelEncoder()
        encoder.classes_ = self.classes_
        return np.asarray(encoder.transform(labels))

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, RegressorTags

        tags = super().__sklearn_tags__()
        if self._classifies():
            tags.estimator_type = "classifier"
            tags.classifier_tags = ClassifierTags(multi_class=not self._binary())
        else:
            tags.estimator_type = "regressor"
            tags.regressor_tags = RegressorTags()
        return tags


class LinearLearner(_Supervised, algorithm="linear-learner"):
    """Linear classification and regression, many models at once."""

    @property
    def coef_(self) -> npt.NDArray[np.float32]:
        """Coefficients on the features' own scale: (width,), or (classes, width)."""
        check_is_fitted(self)
        weights: npt.NDArray[np.float32] = self.model_.weights  # type: ignore[attr-defined]
        return weights[0] if len(weights) == 1 else weights

    @property
    def intercept_(self) -> npt.NDArray[np.float32]:
        """One intercept for each row of `coef_`."""
        check_is_fitted(self)
        bias: npt.NDArray[np.float32] = self.model_.bias  # type: ignore[attr-defined]
        return bias

    def _classifies(self) -> bool:
        return self.predictor_type in {"binary_classifier", "multiclass_classifier"}

    def _binary(self) -> bool:
        return bool(self.predictor_type == "binary_classifier")

    def _restore_classes(self, classes: list[Any] | None) -> None:
        count = max(2, len(self.model_.weights))  # type: ignore[attr-defined]
        self.classes_ = np.asarray(classes if classes is not None else range(count))

    def _numbered(self, labels: npt.NDArray[Any], *, fitting: bool) -> npt.NDArray[Any]:
        numbers = super()._numbered(labels, fitting=fitting)
        if fitting and self._classifies() and len(self.classes_) < 2:
            raise CallerError.of("y", "a classifier needs rows of two classes", len(self.classes_))
        return numbers


class XGBoost(_Supervised, algorithm="xgboost"):
    """Gradient-boosted trees by the XGBoost library."""

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The label of each row, of shape (rows,): a class, or a number for other objectives."""
        return super().predict(X)

    def _classifies(self) -> bool:
        return str(self.objective).startswith(("binary:", "multi:"))

    def _binary(self) -> bool:
        return str(self.objective).startswith("binary:")


class KMeans(ClusterMixin, TransformerMixin, Estimator, algorithm="kmeans"):  # type: ignore[misc]
    """Web-scale k-means: one pass over the data."""

    @property
    def cluster_centers_(self) -> npt.NDArray[np.float32]:
        """(k, width)."""
        check_is_fitted(self)
        centers: npt.NDArray[np.float32] = self.model_.centers  # type: ignore[attr-defined]
        return centers

    def fit(self, X: Any, y: Any = None, **rest: Any) -> KMeans:
        """Cluster the rows of X, of shape (rows, width); y is ignored."""
        super().fit(X, None, **rest)
        self.labels_ = self.predict(X)
        return self

    def predict(self, X: Any) -> npt.NDArray[np.int32]:
        """The nearest center's row for each row, of shape (rows,)."""
        return np.asarray(self._outputs(X)["closest_cluster"], dtype=np.int32)

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """Euclidean distance of each row to each center: (rows, k)."""
        check_is_fitted(self)
        features = features_of(self, X, fitting=False, missing=False)
        distances: npt.NDArray[np.float32] = self.model_.distances(Batch(features))  # type: ignore[attr-defined]
        return distances

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the sum of squared distances to the nearest center, as scikit-learn has it."""
        distance = np.asarray(self._outputs(X)["distance_to_cluster"], dtype=np.float64)
        return -float(np.sum(distance**2))


class PCA(TransformerMixin, Estimator, algorithm="pca"):  # type: ignore[misc]
    """Principal components, in SageMaker's order: the first component is the last column."""

    @property
    def components_(self) -> npt.NDArray[np.float32]:
        """(num_components, width), from the smallest singular value to the largest."""
        check_is_fitted(self)
        vectors: npt.NDArray[np.float32] = self.model_.v  # type: ignore[attr-defined]
        return vectors.T

    @property
    def singular_values_(self) -> npt.NDArray[np.float32]:
        """(num_components,), ascending."""
        check_is_fitted(self)
        values: npt.NDArray[np.float32] = self.model_.s  # type: ignore[attr-defined]
        return values

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """(rows, num_components), the largest component last."""
        return np.asarray(self._outputs(X)["projection"], dtype=np.float32)


ESTIMATORS: dict[str, type[Estimator]] = {
    kind.algorithm.name: kind for kind in (LinearLearner, KMeans, PCA, XGBoost)
}


def load(path: str | Path) -> Estimator:
    """The estimator of a saved model, whoever trained it: a folder or a `model.tar.gz`.

    Raises:
        CallerError: it is not a model, or not one that Clary knows.
    """
    return estimator_of(path, ESTIMATORS)
