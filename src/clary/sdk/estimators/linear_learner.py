"""Linear learner as an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from clary.algorithms.linear_learner.model import LinearLearnerModel
from clary.sdk.supervised import Supervised, Target

Floats = npt.NDArray[np.float32]

_PREDICTORS: dict[str, Target] = {
    "binary_classifier": "binary",
    "multiclass_classifier": "multiclass",
    "multilabel_classifier": "multilabel",
}


def _has_hinge_loss(estimator: Any) -> bool:
    return bool(estimator.loss == "hinge_loss")


class LinearLearner(Supervised, algorithm="linear-learner"):
    """Linear classification and regression, many models at once."""

    model_: LinearLearnerModel
    _count = "num_classes"

    @property
    def coef_(self) -> Floats:
        """Coefficients on the features' own scale: (width,) of regressors, or (outputs, width)."""
        check_is_fitted(self)
        weights = self.model_.weights
        return weights[0] if self._target() == "number" else weights

    @property
    def intercept_(self) -> Any:
        """One number of regressors, else (outputs,)."""
        check_is_fitted(self)
        bias = self.model_.bias
        return bias[0] if self._target() == "number" else bias

    @available_if(_has_hinge_loss)  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> Floats:
        """How far each row's score lies above the threshold, of shape (rows,)."""
        score = np.asarray(self._outputs(X)["score"])
        return np.asarray(score - np.float32(self.model_.threshold))

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
        return max(2, len(self.model_.weights))

    def _numbered(self, labels: npt.NDArray[Any], *, fitting: bool) -> npt.NDArray[Any]:
        numbers = super()._numbered(labels, fitting=fitting)
        if len(self.classes_) < 2:
            raise ValueError("y has one class only; a classifier needs rows of two classes")
        return numbers
