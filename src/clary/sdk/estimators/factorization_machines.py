"""Factorization machines as an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from clary.algorithms.factorization_machines.model import FactorizationMachinesModel
from clary.sdk.supervised import Supervised, Target

Floats = npt.NDArray[np.float32]


class FactorizationMachines(Supervised, algorithm="factorization-machines"):
    """Classification and regression on sparse rows by pairs of features."""

    model_: FactorizationMachinesModel

    @property
    def coef_(self) -> Floats:
        """(width,): the linear weights."""
        check_is_fitted(self)
        return self.model_.linear

    @property
    def intercept_(self) -> float:
        """The bias."""
        check_is_fitted(self)
        return self.model_.bias

    @property
    def factors_(self) -> Floats:
        """(width, num_factors): the features' vectors."""
        check_is_fitted(self)
        return self.model_.factors

    def _target(self) -> Target:
        return "binary" if self.predictor_type == "binary_classifier" else "number"

    def _gives_chances(self) -> bool:
        return self._target() == "binary"

    def _class_count(self) -> int:
        return 2

    def _numbered(self, labels: npt.NDArray[Any], *, fitting: bool) -> npt.NDArray[Any]:
        numbers = super()._numbered(labels, fitting=fitting)
        if len(self.classes_) < 2:
            raise ValueError("y has one class only; a classifier needs rows of two classes")
        return numbers
