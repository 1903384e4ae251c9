"""Support vector machines as an estimator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from clary.algorithms.svm.model import SVMModel
from clary.sdk.supervised import Supervised, Target

_PREDICTORS: dict[str, Target] = {
    "binary_classifier": "binary",
    "multiclass_classifier": "multiclass",
}


def _is_classifier(estimator: Any) -> bool:
    return bool(estimator._target() != "number")


class SVM(Supervised, algorithm="svm"):
    """Classification and regression with straight or bent borders."""

    model_: SVMModel
    _count = "num_classes"

    @available_if(_is_classifier)  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """(rows,) of two classes, above 0 for the second; else (rows, classes)."""
        check_is_fitted(self)
        return self.model_.decisions(self._rows(X))

    @property
    def n_support_(self) -> npt.NDArray[np.intp]:
        """(classes,) support vectors of each class; of a regressor (1,), all of them."""
        check_is_fitted(self)
        return np.array(self.model_.support_counts, dtype=np.intp)

    def _target(self) -> Target:
        return _PREDICTORS.get(str(self.predictor_type), "number")

    def _gives_chances(self) -> bool:
        return self._target() != "number" and str(self.probability).lower() == "true"

    def _hyperparameters(self) -> dict[str, Any]:
        """Several classes start at three; two are learned as binary. Weights are of y's classes."""
        given = super()._hyperparameters()
        if isinstance(given["class_weight"], Mapping) and self._target() != "number":
            given["class_weight"] = self._by_place(given["class_weight"])
        if self._target() == "multiclass" and len(self.classes_) <= 2:
            given |= {"predictor_type": "binary_classifier", "num_classes": None}
        return given

    def _by_place(self, weights: Mapping[Any, float]) -> dict[str, float]:
        """Weights by the class's place in `classes_`; a saved model has them so already."""
        places = {label: str(place) for place, label in enumerate(self.classes_.tolist())}
        known = {**{place: place for place in places.values()}, **places}
        unknown = [label for label in weights if label not in known]
        if unknown:
            raise ValueError(f"class_weight names {unknown[0]!r}, which is no class of y")
        return {known[label]: weight for label, weight in weights.items()}

    def _class_count(self) -> int:
        return self.model_.classes

    def _numbered(self, labels: npt.NDArray[Any], *, fitting: bool) -> npt.NDArray[Any]:
        numbers = super()._numbered(labels, fitting=fitting)
        if len(self.classes_) < 2:
            raise ValueError("y has one class only; a classifier needs rows of two classes")
        return numbers
