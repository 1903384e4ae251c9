"""Which algorithm an image stands for, in the requests that name one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clary.algorithms import declaration, names
from clary.aws.errors import invalid
from clary.errors import CallerError
from clary.spec.images import algorithm_of_image
from clary.spec.jumpstart import JumpStartModel

# What the scripts of JumpStart are called, which are no scripts of the caller's
_JUMPSTART_SCRIPTS = frozenset({"transfer_learning.py", "inference.py"})
# Where AWS has them: …/lightgbm/transfer_learning/classification/v1.0.0/sourcedir.tar.gz
_TASK = re.compile(r"/(?:transfer_learning|inference)/([a-z0-9]+)/v[0-9]")


@dataclass(frozen=True)
class Asked:
    """The algorithm that a request asks for, and JumpStart's model where it asked through one."""

    algorithm: str
    model: JumpStartModel | None = None


def asked_in(uri: str, request: Mapping[str, Any]) -> Asked:
    """What a CreateTrainingJob with this image asks for.

    Raises:
        Refusal: the image is not known or not there yet; or the request brings a script, which no
            built-in algorithm runs.
    """
    program = request.get("HyperParameters", {}).get("sagemaker_program", "")
    asked = _asked(uri, list(_training_hints(request)), program)
    code = [one for one in request.get("InputDataConfig", []) if one["ChannelName"] == "code"]
    _refuse_scripts(asked, program or ("of the channel code" if code and not asked.model else ""))
    return asked


def served_by(container: Mapping[str, Any]) -> str:
    """The algorithm whose models a container of CreateModel serves.

    Raises:
        Refusal: its image is not known or not there yet, or it brings a script.
    """
    environment = container.get("Environment", {})
    place = container.get("ModelDataUrl", "")
    hints = [environment.get("SAGEMAKER_SUBMIT_DIRECTORY", ""), place]
    program = environment.get("SAGEMAKER_PROGRAM", "")
    asked = _asked(container.get("Image", ""), hints, program)
    _refuse_scripts(asked, program)
    return asked.algorithm


def algorithm_of(image: str) -> str:
    """The algorithm of an image alone.

    Raises:
        Refusal: it is not known or not there yet.
    """
    return _asked(image, []).algorithm


def _asked(uri: str, hints: list[str], program: str = "") -> Asked:
    try:
        match = algorithm_of_image(uri, _declared(), hints)
    except CallerError as error:
        raise invalid(str(error)) from None
    if match.algorithm not in names():
        raise invalid(
            f"Algorithm {match.algorithm} is not implemented yet; implemented: {', '.join(names())}"
        )
    told = hints if _script(program) in _JUMPSTART_SCRIPTS else []
    return Asked(match.algorithm, _model(match.algorithm, [match.repository, *told]))


def _model(algorithm: str, told: list[str]) -> JumpStartModel | None:
    """The one JumpStart model of an algorithm whose id, or else whose task, is told."""
    tasks = [task for text in told for task in _TASK.findall(text)]
    models = declaration(algorithm).jumpstart
    by_id = [one for one in models if any(one.id in text for text in told)]
    found = by_id or [one for one in models if any(task in one.id for task in tasks)]
    return found[0] if len(found) == 1 else None


def _training_hints(request: Mapping[str, Any]) -> Iterator[str]:
    yield request.get("HyperParameters", {}).get("sagemaker_submit_directory", "")
    for channel in request.get("InputDataConfig", []):
        if channel["ChannelName"] in {"model", "code"}:
            yield channel["DataSource"].get("S3DataSource", {}).get("S3Uri", "")


def _refuse_scripts(asked: Asked, program: str) -> None:
    name = _script(program)
    if name and not (asked.model and name in _JUMPSTART_SCRIPTS):
        raise invalid(
            f"The script {name} cannot be run: {asked.algorithm} is a built-in algorithm here, "
            "without script mode. Leave out the script (entry_point) for the algorithm itself"
        )


def _script(program: str) -> str:
    """The file's name; values of scripts come in quotes."""
    return program.strip('"').rpartition("/")[2]


def _declared() -> dict[str, str]:
    """Algorithms by the repositories and JumpStart ids of their declarations."""
    found = {}
    for name in names():
        algorithm = declaration(name)
        for repository in (name, *algorithm.images, *(one.id for one in algorithm.jumpstart)):
            found[repository] = name
    return found
