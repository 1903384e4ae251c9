"""Endpoint configurations: Create, Describe, List, Delete."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from clary.aws.errors import invalid
from clary.control import models
from clary.control.pages import rows_page
from clary.control.refusals import not_found, taken
from clary.control.tags import given
from clary.db.resources import Row, Taken
from clary.jobs.platform import Platform

KIND, NOUN = "endpoint-config", "endpoint configuration"
IGNORED: Mapping[str, str] = {
    "AcceleratorPartitionLayouts": "kept; there are no instances",
    "AcceleratorType": "kept; there are no instances",
    "CapacityReservationConfig": "kept; there are no instances",
    "CoreDumpConfig": "kept; no cores are dumped",
    "CrossRegionTrafficConfig": "refused: there is one region",
    "EnableNetworkIsolation": "kept; models are served by Clary's own code",
    "EnableSSMAccess": "kept; there are no instances to log in to",
    "ExecutionRoleArn": "kept; there is no access control",
    "ExplainerConfig": "refused: there is no Clarify",
    "InferenceAmiVersion": "kept; there are no instances",
    "InstancePools": "kept; there are no instances",
    "InstanceType": "kept; there are no instances",
    "KmsKeyId": "kept; files lie as they are on this machine",
    "ManagedInstanceScaling": "kept; there are no instances",
    "MemorySizeInMB": "kept; a model has what memory the machine has",
    "MetricsConfig": "kept; endpoints have no CloudWatch metrics",
    "ModelDataDownloadTimeoutInSeconds": "kept; the model lies on this machine",
    "NotificationConfig": "kept, with a warning in the log; there are no SNS topics",
    "ProvisionedConcurrency": "kept; serverless models stay loaded",
    "RoutingConfig": "kept; all models of a variant are in one process",
    "ShadowProductionVariants": "refused: there are no shadow tests",
    "VariantInstanceProvisionTimeoutInSeconds": "kept; there are no instances",
    "VolumeSizeInGB": "kept; a model has what room the disk has",
    "VpcConfig": "kept; endpoints are processes of this machine",
}

_log = logging.getLogger("clary.control")
_NOT_HERE = ("ExplainerConfig", "ShadowProductionVariants", "CrossRegionTrafficConfig")


def create(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    name = request["EndpointConfigName"]
    _check(request)
    for variant in request["ProductionVariants"]:
        models.found(platform, variant["ModelName"])
        variant.setdefault("InitialVariantWeight", 1.0)
    tags = given(request)
    stored = {key: value for key, value in request.items() if key != "Tags"}
    _warn(stored)
    arn = platform.account.arn(KIND, name)
    try:
        platform.resources.create(KIND, name, arn, stored, tags=tags)
    except Taken as found_:
        raise taken(NOUN, found_.arn) from None
    return {"EndpointConfigArn": arn}


def describe(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    row = found(platform, request["EndpointConfigName"])
    return {**row.request, "EndpointConfigArn": row.arn, "CreationTime": row.created / 1000}


def list_(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    rows, more = rows_page(platform, KIND, request)
    listed = [
        {
            "EndpointConfigName": row.name,
            "EndpointConfigArn": row.arn,
            "CreationTime": row.created / 1000,
        }
        for row in rows
    ]
    return {"EndpointConfigs": listed, **more}


def delete(platform: Platform, request: dict[str, Any]) -> None:
    """The entry only: endpoints have a copy of it."""
    if not platform.resources.remove(KIND, request["EndpointConfigName"]):
        raise not_found(NOUN, platform.account.arn(KIND, request["EndpointConfigName"]))


def found(platform: Platform, name: str) -> Row:
    """
    Raises:
        Refusal: there is no such configuration.
    """
    row = platform.resources.find(KIND, name)
    if row is None:
        raise not_found(NOUN, platform.account.arn(KIND, name))
    return row


def _check(request: Mapping[str, Any]) -> None:
    for member in _NOT_HERE:
        if request.get(member):
            raise invalid(f"{member} is not available here")
    variants = request["ProductionVariants"]
    names = [variant["VariantName"] for variant in variants]
    for name in sorted({name for name in names if names.count(name) > 1}):
        raise invalid(f"Variant names must be unique, but {name} was given more than once")
    for variant in variants:
        _check_variant(variant)
    if "AsyncInferenceConfig" in request and any("ServerlessConfig" in one for one in variants):
        raise invalid("AsyncInferenceConfig does not go with ServerlessConfig")


def _warn(config: Mapping[str, Any]) -> None:
    outputs = config.get("AsyncInferenceConfig", {}).get("OutputConfig", {})
    if "NotificationConfig" in outputs:
        name = config["EndpointConfigName"]
        _log.warning("%s: nobody is notified, since there are no SNS topics here", name)


def _check_variant(variant: Mapping[str, Any]) -> None:
    name = variant["VariantName"]
    if "ModelName" not in variant:
        raise invalid(
            f"Variant {name} needs a ModelName; inference components are not available here"
        )
    if "ServerlessConfig" in variant:
        for member in ("InstanceType", "InitialInstanceCount"):
            if member in variant:
                raise invalid(f"Variant {name}: ServerlessConfig does not go with {member}")
    elif "InstanceType" not in variant or "InitialInstanceCount" not in variant:
        raise invalid(
            f"Variant {name} needs InstanceType and InitialInstanceCount, or ServerlessConfig"
        )
