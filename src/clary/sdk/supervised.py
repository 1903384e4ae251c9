"""Estimators that predict a label: a class, several classes at once, or a number."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import ClassifierTags, RegressorTags, check_consistent_length
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from clary.codecs.batch import Batch
from clary.errors import Fault
from clary.kit.model import Model
from clary.sdk.estimator import Estimator, InvalidInput
from clary.sdk.rows import labels_of, weights_of

Target: TypeAlias = Literal["binary", "multiclass", "multilabel", "number"]


def _has_chances(estimator: Any) -> bool:
    return bool(estimator._gives_chances())


class Supervised(Estimator):
    """Predicts a label: a class of `classes_` or a number."""

    classes_: npt.NDArray[Any]
    # The hyperparameter that tells how many classes there are, of those that have one
    _count: ClassVar[str] = ""

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        validation: tuple[Any, Any] | None = None,
    ) -> Self:
        """Train on rows X of shape (rows, width) and labels y of shape (rows,).

        Args:
            X: numpy, scipy sparse, pandas, polars or pyarrow.
            y: any values for classifiers, numbers for regressors; for several labels at once
                (rows, labels) of 0 and 1.
            sample_weight: one weight a row.
            validation: (X, y) held out for early stopping and selection.

        Raises:
            CallerError: a hyperparameter or the data cannot be used; it is a ValueError too.
            ValueError: X, y or sample_weight are not what scikit-learn takes.
        """
        return self._train(self._batches(X, y, sample_weight, validation))

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The label of each row, of shape (rows,): a class, or a number for regressors."""
        outputs = self._outputs(X)
        if self._target() == "number":
            return np.asarray(outputs["score"])
        labels = np.asarray(outputs["predicted_label"], dtype=np.int64)
        return labels if self._target() == "multilabel" else self.classes_[labels]

    @available_if(_has_chances)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> npt.NDArray[np.float32]:
        """The probability of each class, of shape (rows, classes).

        It is there where the loss makes scores probabilities. The binary label may be cut elsewhere
        than at 0.5: see the model selection criteria.
        """
        score = np.asarray(self._outputs(X)["score"])
        return score if score.ndim == 2 else np.column_stack([1 - score, score])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy for classifiers, the coefficient of determination for regressors."""
        measure = r2_score if self._target() == "number" else accuracy_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))

    @abstractmethod
    def _target(self) -> Target:
        """What it predicts."""

    @abstractmethod
    def _gives_chances(self) -> bool:
        """Whether its scores are probabilities of classes."""

    def _takes_several(self) -> bool:
        """Whether a row may have several labels."""
        return self._target() == "multilabel"

    @abstractmethod
    def _class_count(self) -> int:
        """How many classes a loaded model tells apart."""

    def _hyperparameters(self) -> dict[str, Any]:
        """The classes are those of y; some of those announced may lack in a part of the rows."""
        given = super()._hyperparameters()
        if not self._count:
            return given
        announced = given[self._count]
        if self._target() == "multiclass" and (announced is None or isinstance(announced, int)):
            found = max(2, len(self.classes_))
            given[self._count] = found if announced is None else min(announced, found)
        return given

    def _batches(
        self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, ...] | None
    ) -> dict[str, Batch]:
        train = self._labelled(X, y, fitting=True)
        batches = {"train": replace(train, weights=weights_of(sample_weight, train.features))}
        if validation is not None:
            if "validation" not in {channel.name for channel in self.algorithm.channels}:
                raise InvalidInput(Fault("validation", f"{type(self).__name__} has no use for it"))
            rows, labels = validation
            batches["validation"] = self._labelled(rows, labels, fitting=False)
        return batches

    def _labelled(self, X: Any, y: Any, *, fitting: bool) -> Batch:
        rows = self._rows(X, fitting=fitting)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        labels = labels_of(y, several=self._takes_several())
        check_consistent_length(rows.features, labels)
        if self._target() in {"binary", "multiclass"}:
            labels = self._numbered(labels, fitting=fitting)
        elif self._target() == "multilabel" and fitting:
            self.classes_ = np.arange(labels.shape[1] if labels.ndim == 2 else 1)
        return replace(rows, label=np.ascontiguousarray(labels, dtype=np.float32))

    def _numbered(self, labels: npt.NDArray[Any], *, fitting: bool) -> npt.NDArray[Any]:
        """Classes as 0, 1, … in the order of `classes_`, which `fit` settles."""
        check_classification_targets(labels)
        if fitting:
            self.classes_ = np.unique(labels)
            if self._target() == "binary" and len(self.classes_) > 2:
                raise ValueError(
                    "Only binary classification is supported. The type of the target is "
                    f"multiclass: {len(self.classes_)} classes."
                )
        unseen = ~np.isin(labels, self.classes_)
        if unseen.any():
            raise ValueError(
                f"y has a class that was not in training: {labels[unseen].tolist()[0]!r}"
            )
        return np.searchsorted(self.classes_, labels)

    def _notes(self) -> dict[str, Any]:
        notes = super()._notes()
        if self._target() in {"binary", "multiclass"}:
            notes["classes"] = self.classes_.tolist()
        return notes

    def _restore(self, model: Model, notes: Mapping[str, Any]) -> None:
        super()._restore(model, notes)
        if self._target() != "number":
            self.classes_ = np.asarray(notes.get("classes") or range(self._class_count()))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self._target() == "number":
            tags.estimator_type = "regressor"
            tags.regressor_tags = RegressorTags()
        else:
            tags.estimator_type = "classifier"
            tags.classifier_tags = ClassifierTags(
                multi_class=self._target() != "binary", multi_label=self._target() == "multilabel"
            )
        return tags
