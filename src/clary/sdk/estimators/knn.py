"""K-nearest neighbors as an estimator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from clary.algorithms.knn.model import KNNModel
from clary.kit.model import Model
from clary.sdk.supervised import Supervised, Target

Floats = npt.NDArray[np.float32]


def _is_classifier(estimator: Any) -> bool:
    return bool(estimator._target() != "number")


class KNN(Supervised, algorithm="knn"):
    """Classification and regression by the most similar rows of a sample."""

    model_: KNNModel

    # Without sample_weight, which neighbors do not have
    def fit(self, X: Any, y: Any = None) -> Self:  # type: ignore[override]
        """Keep a sample of rows X of shape (rows, width) and labels y of shape (rows,).

        Args:
            X: numpy, scipy sparse, pandas, polars or pyarrow.
            y: any values for classifiers, numbers for regressors.

        Raises:
            CallerError: a hyperparameter or the data cannot be used; it is a ValueError too.
            ValueError: X or y are not what scikit-learn takes.
        """
        return self._train({"train": self._labelled(X, y, fitting=True)})

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The label of each row, of shape (rows,): a class, or a number for regressors."""
        labels = np.asarray(self._outputs(X)["predicted_label"])
        if self._target() == "number":
            return labels
        return self.classes_[np.searchsorted(self._class_labels(), labels)]

    @available_if(_is_classifier)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Floats:
        """Each class's share of the neighbors, of shape (rows, classes)."""
        check_is_fitted(self)
        found = self.model_.shares(self._rows(X))
        # A class may have no row in the sample
        shares = np.zeros((len(found), len(self.classes_)), np.float32)
        shares[:, np.searchsorted(self._class_labels(), self.model_.classes)] = found
        return shares

    def kneighbors(
        self, X: Any, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        """Distances to the nearest rows and their places in the sample, both (rows, n_neighbors).

        The places are those of the rows that it was fitted to, if all of them were kept.

        Args:
            X: rows.
            n_neighbors: how many; k if left out.
            return_distance: whether distances are wanted, or places alone.
        """
        check_is_fitted(self)
        wanted = self.model_.params.k if n_neighbors is None else n_neighbors
        distances, places = self.model_.nearest(self._rows(X), wanted)
        return (distances, places) if return_distance else places

    def _target(self) -> Target:
        return "multiclass" if self.predictor_type == "classifier" else "number"

    def _gives_chances(self) -> bool:
        return self._target() != "number"

    def _class_count(self) -> int:
        return len(self.model_.classes)

    def _class_labels(self) -> Floats:
        """(classes,): the model's label of each class of `classes_`."""
        if self._made_elsewhere:
            return self.model_.classes
        return np.arange(len(self.classes_), dtype=np.float32)

    _made_elsewhere = False

    def _restore(self, model: Model, notes: Mapping[str, Any]) -> None:
        super()._restore(model, notes)
        self._made_elsewhere = self._target() != "number" and not notes.get("classes")
        if self._made_elsewhere:
            labels = self.model_.classes
            whole = labels.astype(np.int64)
            self.classes_ = whole if (whole == labels).all() else labels
