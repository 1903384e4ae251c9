"""DescribeHubContent: the public hub, where SDK 3 looks for JumpStart's models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from clary.aws.errors import Refusal
from clary.control.jumpstart_models import (
    BUCKET,
    VERSION,
    instance_types,
    published,
    specification,
)
from clary.jobs.platform import Platform
from clary.spec.registries import image_uri

_HUB = "SageMakerPublicHub"
_SCHEMA = "2.3.0"
# The models are as old as the hub: its first day, in seconds
_BEGINNING = 1_701_216_000
UNTOLD: Mapping[str, str] = dict.fromkeys(
    (
        "CreatedBy",
        "HubContentDependencies",
        "HubContentMarkdown",
        "HubContentSearchKeywords",
        "LastModifiedBy",
        "ReferenceMinVersion",
        "SageMakerPublicHubContentArn",
        "SupportStatus",
    ),
    "the SDK does not read it",
)


def describe(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    """A model by its id, with its specification as the hub's document.

    Raises:
        Refusal: the hub, or the model in it, is not there.
    """
    hub, name = request["HubName"].rpartition("/")[2], request["HubContentName"]
    version = request.get("HubContentVersion") or VERSION
    found = {model.id: (algorithm, model) for algorithm, model in published()}
    known = request["HubContentType"] == "Model" and version in {VERSION, "*"} and name in found
    if hub != _HUB or not known:
        raise _missing(request, sorted(found))
    region = platform.account.region
    algorithm, model = found[name]
    arn = f"arn:aws:sagemaker:{region}:aws"
    return {
        "HubName": _HUB,
        "HubArn": f"{arn}:hub/{_HUB}",
        "HubContentName": name,
        "HubContentArn": f"{arn}:hub-content/{_HUB}/Model/{name}/{VERSION}",
        "HubContentType": "Model",
        "HubContentVersion": VERSION,
        "DocumentSchemaVersion": _SCHEMA,
        "HubContentDisplayName": model.title,
        "HubContentDescription": algorithm.summary,
        "HubContentStatus": "Available",
        "HubContentDocument": json.dumps(
            _document(specification(algorithm, model, region), region)
        ),
        "CreationTime": _BEGINNING,
    }


def _missing(request: Mapping[str, Any], known: list[str]) -> Refusal:
    what = f"{request['HubContentType']} {request['HubContentName']}"
    message = f"There is no {what} in {request['HubName']}; {_HUB} has {', '.join(known)}"
    return Refusal("ResourceNotFound", message)


def _document(told: Mapping[str, Any], region: str) -> dict[str, Any]:
    """A specification in the hub's words: names in another case, places as URIs."""
    image = image_uri(told["model_id"], VERSION, region)
    variants: dict[str, Any] = {"Variants": {}}
    place = f"s3://{BUCKET}{region}/"
    types = instance_types()
    return {
        "ModelTypes": ["OPEN_WEIGHTS"],
        "Url": told["url"],
        "MinSdkVersion": told["min_sdk_version"],
        "TrainingSupported": True,
        "IncrementalTrainingSupported": told["incremental_training_supported"],
        "ResourceNameBase": told["resource_name_base"],
        "Capabilities": ["TRAINING"],
        "TrainingEcrUri": image,
        "TrainingArtifactUri": place + told["training_artifact_key"],
        "TrainingScriptUri": place + told["training_script_key"],
        "TrainingInstanceTypeVariants": variants,
        "TrainingMetrics": told["metrics"],
        "Hyperparameters": [_cased(one) for one in told["hyperparameters"]],
        "DefaultTrainingInstanceType": told["default_training_instance_type"],
        "SupportedTrainingInstanceTypes": types,
        "HostingEcrUri": image,
        "HostingArtifactUri": place + told["hosting_artifact_key"],
        "HostingScriptUri": place + told["hosting_script_key"],
        "HostingUseScriptUri": told["hosting_use_script_uri"],
        "HostingInstanceTypeVariants": variants,
        "InferenceEnvironmentVariables": [],
        "DefaultInferenceInstanceType": told["default_inference_instance_type"],
        "SupportedInferenceInstanceTypes": types,
        "SageMakerSdkPredictorSpecifications": _cased(told["predictor_specs"]),
    }


def _cased(told: Mapping[str, Any]) -> dict[str, Any]:
    """`default_content_type` is DefaultContentType; the hub knows no exclusive bounds."""
    return {
        "".join(part.capitalize() for part in name.split("_")): value
        for name, value in told.items()
        if not name.startswith("exclusive_")
    }
