"""The estimators pass scikit-learn's own checks, but for the exceptions listed with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from clary import PCA, KMeans, LinearLearner, XGBoost

# Each is a promise of SageMaker's that differs from scikit-learn's.
EXCEPTIONS: dict[str, dict[str, str]] = {
    "KMeans": {},
    "PCA": {},
    "LinearLearner": {},
    "XGBoost": {},
}

ESTIMATORS = [
    KMeans(k=3),
    PCA(num_components=1),
    LinearLearner(predictor_type="binary_classifier", num_models=4),
    LinearLearner(predictor_type="multiclass_classifier", num_models=4),
    LinearLearner(predictor_type="regressor", num_models=4),
    XGBoost(objective="binary:logistic", num_round=5),
    XGBoost(objective="reg:squarederror", num_round=5),
]


def _expected(estimator: Any) -> dict[str, str]:
    return EXCEPTIONS[type(estimator).__name__]


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=_expected)
def test_scikit_learn_accepts_the_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_exception_has_a_reason(name: str) -> None:
    assert all(len(reason) > 20 for reason in EXCEPTIONS[name].values())
