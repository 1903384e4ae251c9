"""Which algorithm an image, or an algorithm's resource, stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clary.algorithms import CATALOGUE, declaration
from clary.aws.errors import invalid
from clary.jobs.platform import Platform


def trained_by(platform: Platform, specification: Mapping[str, Any]) -> str:
    """The name of the algorithm that an AlgorithmSpecification names.

    Raises:
        Refusal: it names none, two, or one that is not known.
    """
    image, name = specification.get("TrainingImage"), specification.get("AlgorithmName")
    if bool(image) == bool(name):
        raise invalid("AlgorithmSpecification needs exactly one of TrainingImage and AlgorithmName")
    return algorithm_of(image) if image else algorithm_of(str(name))


def algorithm_of(image: str) -> str:
    repository = image.rpartition("/")[2].partition(":")[0].partition("@")[0]
    for name in CATALOGUE:
        if repository in (name, *declaration(name).images):
            return name
    raise invalid(f"Unknown image {image}. Known: {', '.join(CATALOGUE)}")
