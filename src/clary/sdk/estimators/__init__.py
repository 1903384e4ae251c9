"""The Python estimators: every algorithm's class, loaded on demand.

Each is in a file of the algorithm's name here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clary.sdk.estimator import Estimator

ESTIMATORS = {
    "linear-learner": "LinearLearner",
    "kmeans": "KMeans",
    "pca": "PCA",
    "knn": "KNN",
    "randomcutforest": "RandomCutForest",
    "ipinsights": "IPInsights",
    "factorization-machines": "FactorizationMachines",
    "svm": "SVM",
    "tsne": "TSNE",
    "xgboost": "XGBoost",
}


def module_of(name: str) -> str:
    """Where the estimator of an algorithm is."""
    return f"{__name__}.{name.replace('-', '_')}"


def estimator_class(name: str) -> type[Estimator]:
    """The estimator of an algorithm; a KeyError if it has none."""
    kind: type[Estimator] = getattr(import_module(module_of(name)), ESTIMATORS[name])
    return kind
