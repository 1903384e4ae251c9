"""Algorithms as resources: those of the suite, and a caller's own that stand for one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clary.algorithms import declaration, names
from clary.aws.errors import invalid
from clary.control import images
from clary.control.pages import milliseconds_of, offset_page
from clary.control.refusals import not_found, taken
from clary.control.tags import given
from clary.db.resources import Row, Taken
from clary.jobs.platform import Platform
from clary.spec.algorithm import Algorithm
from clary.spec.registries import image_uri, repository_of
from clary.spec.training_specification import training_specification

KIND = "algorithm"
IGNORED: Mapping[str, str] = {
    "AdditionalS3DataSource": "kept; images are names here",
    "CertifyForMarketplace": "kept; there is no marketplace",
    "Containers.AdditionalModelDataSources": "kept; CreateModel says which data is served",
    "Containers.BaseModel": "kept; there is no model registry",
    "Containers.ContainerHostname": "kept; CreateModel says it",
    "Containers.Environment": "kept; CreateModel says it",
    "Containers.Framework": "kept; it is Clary",
    "Containers.FrameworkVersion": "kept; it is Clary",
    "Containers.ImageDigest": "kept; images are names here",
    "Containers.IsCheckpoint": "kept; there is no model registry",
    "Containers.ModelDataETag": "kept; CreateModel says which data is served",
    "Containers.ModelDataSource": "kept; CreateModel says which data is served",
    "Containers.ModelDataUrl": "kept; CreateModel says which data is served",
    "Containers.ModelInput": "kept; the algorithm's declaration tells",
    "Containers.NearestModelName": "kept; there is no Inference Recommender",
    "Containers.ProductId": "kept; there is no marketplace",
    "MetricDefinitions": "kept; the algorithm has its own, a job may add to them",
    "SupportedHyperParameters": "kept; the algorithm's declaration checks a job's",
    "SupportedTrainingInstanceTypes": "kept; there are no instances",
    "SupportedTuningJobObjectiveMetrics": "kept; the algorithm has its own",
    "SupportsDistributedTraining": "kept; the algorithm's declaration tells",
    "TrainingChannels": "kept; the algorithm's declaration checks a job's",
    "TrainingImageDigest": "kept; images are names here",
    "ValidationSpecification": "refused: the validation of own algorithms is not run",
}
_STATUS = "Completed"
# The built-in algorithms are older than any caller's: SageMaker's first day, in milliseconds
_BEGINNING = 1_511_913_600_000
_INSTANCES = ["ml.m5.large", "ml.m5.xlarge", "ml.c5.large", "ml.c5.xlarge", "ml.t2.medium"]


def create(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    name = request["AlgorithmName"]
    arn = platform.account.arn(KIND, name)
    if "ValidationSpecification" in request:
        raise invalid("ValidationSpecification: the validation of own algorithms is not run here")
    specification = request["TrainingSpecification"]
    images.algorithm_of(specification["TrainingImage"])
    for container in request.get("InferenceSpecification", {}).get("Containers", []):
        images.algorithm_of(container.get("Image", ""))
    if name in names():
        raise taken("algorithm", arn)
    stored = {key: value for key, value in request.items() if key != "Tags"}
    try:
        platform.resources.create(KIND, name, arn, stored, status=_STATUS, tags=given(request))
    except Taken:
        raise taken("algorithm", arn) from None
    return {"AlgorithmArn": arn}


def describe(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    row = _found(platform, request["AlgorithmName"])
    return {
        **row.request,
        "AlgorithmName": row.name,
        "AlgorithmArn": row.arn,
        "CreationTime": row.created / 1000,
        "AlgorithmStatus": row.status,
        "AlgorithmStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
    }


def list_(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    """Built-in and own algorithms alike; SageMaker lists the own ones only."""
    rows = [row for row in _all(platform) if _is_wanted(row, request)]
    by_name = request.get("SortBy", "CreationTime") == "Name"
    rows.sort(
        key=lambda row: (row.name,) if by_name else (row.created, row.name),
        reverse=request.get("SortOrder", "Ascending") == "Descending",
    )
    return offset_page("AlgorithmSummaryList", [_summary(row) for row in rows], request)


def delete(platform: Platform, request: dict[str, Any]) -> None:
    row = _found(platform, request["AlgorithmName"])
    if not platform.resources.remove(KIND, row.name):
        raise invalid(f"{row.name} is a built-in algorithm, which cannot be deleted")


def trained_by(platform: Platform, request: Mapping[str, Any]) -> images.Asked:
    """What a CreateTrainingJob asks for, by an image or by an algorithm's name or ARN.

    Raises:
        Refusal: its AlgorithmSpecification names none, two, or one that is not known or not there
            yet; or it brings a script.
    """
    specification = request["AlgorithmSpecification"]
    image, name = specification.get("TrainingImage"), specification.get("AlgorithmName")
    if bool(image) == bool(name):
        raise invalid("AlgorithmSpecification needs exactly one of TrainingImage and AlgorithmName")
    if name:
        image = _found(platform, name).request["TrainingSpecification"]["TrainingImage"]
    return images.asked_in(str(image), request)


def _found(platform: Platform, name_or_arn: str) -> Row:
    name = name_or_arn.rpartition("/")[2]
    arn = platform.account.arn(KIND, name)
    if name == name_or_arn or name_or_arn.lower() == arn.lower():
        if name in names():
            return _built_in(platform, declaration(name))
        if row := platform.resources.find(KIND, name):
            return row
    raise not_found("algorithm", name_or_arn if "/" in name_or_arn else arn)


def _all(platform: Platform) -> Iterator[Row]:
    for name in names():
        yield _built_in(platform, declaration(name))
    yield from platform.resources.each(KIND)


def _built_in(platform: Platform, algorithm: Algorithm) -> Row:
    """A declaration as if it were a stored resource."""
    repository = repository_of(algorithm.name)
    image = image_uri(
        repository.name if repository else algorithm.images[0],
        repository.tags[-1] if repository and repository.tags[0] != "1" else "1",
        platform.account.region,
    )
    request = {
        "AlgorithmDescription": algorithm.summary,
        "TrainingSpecification": training_specification(algorithm, image),
        "InferenceSpecification": {
            "Containers": [{"Image": image}],
            "SupportedContentTypes": list(algorithm.inference.accepts),
            "SupportedResponseMIMETypes": list(algorithm.inference.returns),
            "SupportedRealtimeInferenceInstanceTypes": _INSTANCES,
            "SupportedTransformInstanceTypes": _INSTANCES[:-1],
        },
    }
    arn = platform.account.arn(KIND, algorithm.name)
    return Row(0, KIND, algorithm.name, arn, _STATUS, _BEGINNING, _BEGINNING, request)


def _is_wanted(row: Row, request: Mapping[str, Any]) -> bool:
    after = milliseconds_of(request.get("CreationTimeAfter"))
    before = milliseconds_of(request.get("CreationTimeBefore"))
    return (
        request.get("NameContains", "") in row.name
        and (after is None or row.created > after)
        and (before is None or row.created < before)
    )


def _summary(row: Row) -> dict[str, Any]:
    return {
        "AlgorithmName": row.name,
        "AlgorithmArn": row.arn,
        "AlgorithmDescription": row.request.get("AlgorithmDescription"),
        "CreationTime": row.created / 1000,
        "AlgorithmStatus": row.status,
    }
