"""Clary: Amazon SageMaker's built-in algorithms, as open source, on any machine."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from clary import settings

__version__ = "0.1.0"

settings.calm_threads()


def __getattr__(name: str) -> Any:
    public = _public()
    if name not in public:
        raise AttributeError(f"module 'clary' has no attribute {name!r}")
    return getattr(import_module(public[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_public()]


def _public() -> dict[str, str]:
    """Where public names are, loaded when asked for: `import clary` must not cost much."""
    estimators = import_module("clary.sdk.estimators")
    return {
        "CallerError": "clary.errors",
        "load": "clary.sdk.loading",
        **{kind: estimators.module_of(name) for name, kind in estimators.ESTIMATORS.items()},
    }
