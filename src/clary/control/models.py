"""Models: Create, Describe, List, Delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clary.algorithms import declaration
from clary.aws.errors import invalid
from clary.control.images import served_by
from clary.control.pages import rows_page
from clary.control.refusals import not_found, taken
from clary.control.tags import given
from clary.db.resources import Row, Taken
from clary.jobs.model_data import model_data
from clary.jobs.platform import Platform
from clary.jobs.serving.deployments import containers_of, is_multi_model

KIND, NOUN = "model", "model"
IGNORED: Mapping[str, str] = {
    "AdditionalModelDataSources": "refused: a built-in algorithm has one artifact",
    "ContainerMetricsConfig": "kept; endpoints have no CloudWatch metrics",
    "ETag": "kept; the object is taken as it is",
    "EnableNetworkIsolation": "kept; models are served by Clary's own code",
    "ExecutionRoleArn": "kept; there is no access control",
    "HubAccessConfig": "kept; the store needs no agreement",
    "ImageConfig": "kept; images are names here",
    "InferenceSpecificationName": "kept; it belongs to model packages",
    "ManifestEtag": "kept; the object is taken as it is",
    "ManifestS3Uri": "kept; a model is one archive or one prefix",
    "ModelAccessConfig": "kept; the store needs no agreement",
    "ModelPackageName": "refused: there are no model packages",
    "VpcConfig": "kept; endpoints are processes of this machine",
}
UNTOLD: Mapping[str, str] = {"DeploymentRecommendation": "there are no instances to recommend"}
_PIPELINE = range(2, 16)


def create(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    _check(request)
    tags = given(request)
    stored = {key: value for key, value in request.items() if key != "Tags"}
    stored.setdefault("EnableNetworkIsolation", False)
    if "PrimaryContainer" in stored:
        stored["PrimaryContainer"] = _served(stored["PrimaryContainer"])
    if "Containers" in stored:
        stored["Containers"] = [_served(one) for one in stored["Containers"]]
    arn = platform.account.arn(KIND, request["ModelName"])
    try:
        platform.resources.create(KIND, request["ModelName"], arn, stored, tags=tags)
    except Taken as found:
        raise taken(NOUN, found.arn) from None
    return {"ModelArn": arn}


def describe(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    row = found(platform, request["ModelName"])
    answer = {**row.request, "ModelArn": row.arn, "CreationTime": row.created / 1000}
    if "PrimaryContainer" in answer:
        answer["PrimaryContainer"] = _shown(answer["PrimaryContainer"])
    if "Containers" in answer:
        answer["Containers"] = [_shown(one) for one in answer["Containers"]]
    return answer


def list_(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    rows, more = rows_page(platform, KIND, request)
    listed = [
        {"ModelName": row.name, "ModelArn": row.arn, "CreationTime": row.created / 1000}
        for row in rows
    ]
    return {"Models": listed, **more}


def delete(platform: Platform, request: dict[str, Any]) -> None:
    """The entry only: endpoints that serve it have their own copy."""
    if not platform.resources.remove(KIND, request["ModelName"]):
        raise not_found(NOUN, platform.account.arn(KIND, request["ModelName"]))


def found(platform: Platform, name: str) -> Row:
    """
    Raises:
        Refusal: there is no such model.
    """
    row = platform.resources.find(KIND, name)
    if row is None:
        raise not_found(NOUN, platform.account.arn(KIND, name))
    return row


def _check(request: Mapping[str, Any]) -> None:
    if ("PrimaryContainer" in request) == ("Containers" in request):
        raise invalid("CreateModel needs exactly one of PrimaryContainer and Containers")
    if "ExecutionRoleArn" not in request:
        raise invalid("1 validation error detected: ExecutionRoleArn is required for a model")
    containers = containers_of(request)
    if "Containers" in request and len(containers) not in _PIPELINE and len(containers) != 1:
        raise invalid("A pipeline has 2 to 15 containers")
    names = [one.get("ContainerHostname") for one in containers]
    for name in {name for name in names if name is not None and names.count(name) > 1}:
        raise invalid(f"ContainerHostname {name} was given more than once")
    if request.get("InferenceExecutionConfig", {}).get("Mode") == "Direct" and None in names:
        raise invalid("With Mode Direct every container needs a ContainerHostname")
    if len(containers) > 1 and any(is_multi_model(one) for one in containers):
        raise invalid("A multi-model container cannot be in a pipeline here")


def _served(container: Mapping[str, Any]) -> dict[str, Any]:
    """A container with the algorithm that its image names."""
    for member in ("ModelPackageName", "AdditionalModelDataSources"):
        if member in container:
            raise invalid(f"{member} is not available here; give Image and ModelDataUrl")
    algorithm = served_by(container)
    place, _ = model_data(container)
    if "ModelDataUrl" in container and "ModelDataSource" in container:
        raise invalid("A container takes ModelDataUrl or ModelDataSource, not both")
    if not place:
        raise invalid(f"The image of {algorithm} needs a ModelDataUrl")
    if is_multi_model(container) and not declaration(algorithm).multi_model:
        raise invalid(f"Your Ecr Image of {algorithm} does not support multi-model mode")
    return {**container, "_Algorithm": algorithm}


def _shown(container: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in container.items() if not key.startswith("_")}
