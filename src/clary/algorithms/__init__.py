"""The catalogue: every algorithm by SageMaker's name, loaded on demand.

Third parties add theirs with an entry point of the group `clary.algorithms` whose name is the
algorithm's and whose value is `package.spec:ALGORITHM`.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from clary.errors import CallerError
from clary.spec.algorithm import Algorithm

CATALOGUE = {
    "linear-learner": "clary.algorithms.linear_learner.spec:ALGORITHM",
    "kmeans": "clary.algorithms.kmeans.spec:ALGORITHM",
    "pca": "clary.algorithms.pca.spec:ALGORITHM",
    "knn": "clary.algorithms.knn.spec:ALGORITHM",
    "randomcutforest": "clary.algorithms.randomcutforest.spec:ALGORITHM",
    "ipinsights": "clary.algorithms.ipinsights.spec:ALGORITHM",
    "factorization-machines": "clary.algorithms.factorization_machines.spec:ALGORITHM",
    "svm": "clary.algorithms.svm.spec:ALGORITHM",
    "tsne": "clary.algorithms.tsne.spec:ALGORITHM",
    "xgboost": "clary.algorithms.xgboost.spec:ALGORITHM",
}


def names() -> list[str]:
    """All algorithms' names, Clary's own first."""
    return [*CATALOGUE, *(name for name in _third_party() if name not in CATALOGUE)]


def declaration(name: str) -> Algorithm:
    """The algorithm's declaration; cheap: no numeric library is loaded.

    Raises:
        CallerError: there is no such algorithm; the nearest name is offered.
    """
    stem = name.replace("_", "-")
    where = CATALOGUE.get(stem) or _third_party().get(name)
    if where is None:
        near = difflib.get_close_matches(stem, names(), n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise CallerError.of(
            f"algorithm {name!r}", "is not known", remedy=f"{hint}Known: {', '.join(names())}."
        )
    found: Algorithm = _named(where)
    return found


def fit_of(algorithm: Algorithm) -> Callable[[Any], Any]:
    """The algorithm's `fit(run) -> Model`; loads its libraries.

    Raises:
        CallerError: one of them is not installed.
    """
    verb: Callable[[Any], Any] = _loaded(algorithm, algorithm.fit)
    return verb


def model_class(algorithm: Algorithm) -> Any:
    """The algorithm's subclass of `Model`; loads its libraries.

    Raises:
        CallerError: one of them is not installed.
    """
    return _loaded(algorithm, algorithm.model)


def responder_of(algorithm: Algorithm) -> Callable[..., bytes] | None:
    """The algorithm's own writer of answers, `respond(model, batch, content_type, serving)`."""
    where = algorithm.inference.respond
    return _named(where) if where else None


def _third_party() -> Mapping[str, str]:
    return _installed(tuple(sys.path))


@cache
def _installed(path: tuple[str, ...]) -> Mapping[str, str]:
    """The entry points along a path; looking for them reads a file of each installed package."""
    return {point.name: point.value for point in entry_points(group="clary.algorithms")}


def _loaded(algorithm: Algorithm, where: str) -> Any:
    try:
        return _named(where)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in {"", "clary"}:
            raise
        wanted = f"'clary[{algorithm.extra}]'" if algorithm.extra else package
        raise CallerError.of(
            algorithm.name,
            f"needs the package {package!r}, which is not installed",
            remedy=f"pip install {wanted}",
        ) from error


def _named(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)
