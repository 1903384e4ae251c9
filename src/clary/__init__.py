"""Clary: Amazon SageMaker's built-in algorithms, as open source, on any machine."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from clary import settings

__version__ = "0.1.0"

settings.calm_threads()

# Loaded when first asked for: `import clary` must not cost what scikit-learn costs.
_PUBLIC = {
    "CallerError": "clary.errors",
    "KMeans": "clary.sdk.estimators",
    "LinearLearner": "clary.sdk.estimators",
    "PCA": "clary.sdk.estimators",
    "XGBoost": "clary.sdk.estimators",
    "load": "clary.sdk.estimators",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'clary' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_PUBLIC]
