"""Endpoints: Create, Describe, List, Update, UpdateWeightsAndCapacities, Delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clary.aws.errors import Refusal, invalid
from clary.control import endpoint_configs, models
from clary.control.pages import rows_page
from clary.control.refusals import not_found, taken
from clary.control.tags import given
from clary.db.resources import Missing, Row, Taken, milliseconds
from clary.jobs import endpoints
from clary.jobs.platform import Platform
from clary.jobs.serving.deployments import Deployment, containers_of, deployment_of

_KIND, _NOUN = endpoints.KIND, "endpoint"
IGNORED: Mapping[str, str] = {
    "DeploymentConfig": "kept; all traffic goes to the new models at once, when they are ready",
    "ServerlessUpdateConfig": "kept; serverless models stay loaded",
}
UNTOLD: Mapping[str, str] = {
    "AcceleratorPartitionLayouts": "there are no instances",
    "AcceleratorType": "there are no instances",
    "CapacityReservationConfig": "there are no instances",
    "CrossRegionTrafficConfig": "there is one region",
    "ExplainerConfig": "there is no Clarify",
    "InstancePools": "there are no instances",
    "ManagedInstanceScaling": "there are no instances",
    "MetricsConfig": "endpoints have no CloudWatch metrics",
    "NotificationConfig": "there are no SNS topics",
    "RoutingConfig": "all models of a variant are in one process",
    "ShadowProductionVariants": "there are no shadow tests",
    "VariantStatus": "EndpointStatus tells",
}


def create(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    name = request["EndpointName"]
    told = _deployment(platform, request["EndpointConfigName"], number=1)
    tags = given(request)
    stored = {key: value for key, value in request.items() if key != "Tags"}
    state = {"EndpointConfigName": request["EndpointConfigName"], "_Deployment": told}
    arn = platform.account.arn(_KIND, name)
    try:
        row = platform.resources.create(
            _KIND, name, arn, stored, status=endpoints.CREATING, state=state, tags=tags
        )
    except Taken as found:
        raise taken(_NOUN, found.arn) from None
    endpoints.create(platform, row)
    return {"EndpointArn": arn}


def describe(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    row = platform.resources.find(_KIND, request["EndpointName"])
    if row is None:
        raise _missing(platform, request["EndpointName"])
    told = row.state["_Deployment"]
    config = told["config"]
    answer = {
        "EndpointName": row.name,
        "EndpointArn": row.arn,
        "EndpointConfigName": row.state["EndpointConfigName"],
        "EndpointStatus": row.status,
        "FailureReason": row.state.get("FailureReason"),
        "CreationTime": row.created / 1000,
        "LastModifiedTime": row.modified / 1000,
        "LastDeploymentConfig": row.request.get("DeploymentConfig"),
        "AsyncInferenceConfig": config.get("AsyncInferenceConfig"),
        "DataCaptureConfig": _capture(config.get("DataCaptureConfig")),
    }
    if row.status not in {endpoints.CREATING, endpoints.FAILED}:
        answer["ProductionVariants"] = _variants(told, row.state.get("_Next"), row.created)
    if "_Next" in row.state:
        following = row.state["_Next"]
        answer["PendingDeploymentSummary"] = {
            "EndpointConfigName": following["config"]["EndpointConfigName"],
            "ProductionVariants": _variants(following, None, row.modified),
            "StartTime": row.state["_Since"],
        }
    return answer


def list_(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    rows, more = rows_page(platform, _KIND, request)
    listed = [
        {
            "EndpointName": row.name,
            "EndpointArn": row.arn,
            "CreationTime": row.created / 1000,
            "LastModifiedTime": row.modified / 1000,
            "EndpointStatus": row.status,
        }
        for row in rows
    ]
    return {"Endpoints": listed, **more}


def update(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    """All at once, whatever DeploymentConfig says: the old fleet serves until the new one does."""
    name = request["EndpointName"]
    try:
        with platform.resources.changing(_KIND, name) as row:
            _refuse_unless_in_service(row)
            told = row.state["_Deployment"]
            following = _deployment(
                platform, request["EndpointConfigName"], number=told["number"] + 1
            )
            if request.get("RetainAllVariantProperties"):
                excluded = request.get("ExcludeRetainedVariantProperties", [])
                _retain(told, following, {one["VariantPropertyType"] for one in excluded})
            _begin(row, following)
            if not request.get("RetainDeploymentConfig"):
                row.request.pop("DeploymentConfig", None)
            if "DeploymentConfig" in request:
                row.request["DeploymentConfig"] = request["DeploymentConfig"]
    except Missing:
        raise _missing(platform, name) from None
    endpoints.update(platform, row)
    return {"EndpointArn": row.arn}


def update_weights_and_capacities(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    name = request["EndpointName"]
    try:
        with platform.resources.changing(_KIND, name) as row:
            _refuse_unless_in_service(row)
            told = row.state["_Deployment"]
            following = {**told, "weights": {**told["weights"]}, "counts": {**told["counts"]}}
            for desired in request["DesiredWeightsAndCapacities"]:
                _rescale(following, desired)
            _begin(row, following)
    except Missing:
        raise _missing(platform, name) from None
    endpoints.rescale(platform, row)
    return {"EndpointArn": row.arn}


def delete(platform: Platform, request: dict[str, Any]) -> None:
    name = request["EndpointName"]
    try:
        with platform.resources.changing(_KIND, name) as row:
            if row.status not in {endpoints.IN_SERVICE, endpoints.FAILED}:
                raise _in_progress(row)
            row.status = endpoints.DELETING
    except Missing:
        raise _missing(platform, name) from None
    endpoints.delete(platform, row)


def _deployment(platform: Platform, config_name: str, number: int) -> Deployment:
    """
    Raises:
        Refusal: the configuration is not there, or one of its models.
    """
    config = endpoint_configs.found(platform, config_name).request
    names = {variant["ModelName"] for variant in config["ProductionVariants"]}
    found = {name: models.found(platform, name).request for name in names}
    return deployment_of(config, found, number)


def _begin(row: Row, following: Deployment) -> None:
    row.state["_Next"], row.state["_Since"] = following, milliseconds() / 1000
    row.status = endpoints.UPDATING


def _retain(told: Deployment, following: Deployment, excluded: set[str]) -> None:
    """Let variants that were there before keep what the endpoint has."""
    for kind, member in (("DesiredWeight", "weights"), ("DesiredInstanceCount", "counts")):
        if kind not in excluded:
            present = following[member]
            following[member] = {name: told[member].get(name, present[name]) for name in present}
    if "DataCaptureConfig" not in excluded:
        following["config"].pop("DataCaptureConfig", None)
        if "DataCaptureConfig" in told["config"]:
            following["config"]["DataCaptureConfig"] = told["config"]["DataCaptureConfig"]


def _rescale(following: Deployment, desired: Mapping[str, Any]) -> None:
    name = desired["VariantName"]
    if name not in following["weights"]:
        raise invalid(f'The variant name(s) "{name}" is/are not present in the endpoint.')
    if "ServerlessUpdateConfig" in desired:
        raise invalid("ServerlessUpdateConfig is not available here; use UpdateEndpoint")
    if "DesiredWeight" in desired:
        following["weights"][name] = desired["DesiredWeight"]
    count = desired.get("DesiredInstanceCount")
    if count is not None and count < 1:
        raise invalid(f"DesiredInstanceCount of {name} must be at least 1")
    if count is not None:
        following["counts"][name] = count


def _variants(
    told: Deployment, following: Deployment | None, resolved: int
) -> list[dict[str, Any]]:
    """Summaries; what is desired is what is to come, if the same variant has it."""
    desired = following or told
    summaries = []
    for config in told["config"]["ProductionVariants"]:
        name, serverless = config["VariantName"], config.get("ServerlessConfig")
        summary: dict[str, Any] = {
            "VariantName": name,
            "DeployedImages": [
                {
                    "SpecifiedImage": container["Image"],
                    "ResolvedImage": container["Image"],
                    "ResolutionTime": resolved / 1000,
                }
                for container in containers_of(told["models"][config["ModelName"]])
            ],
            "CurrentWeight": told["weights"][name],
            "DesiredWeight": desired["weights"].get(name, told["weights"][name]),
        }
        if serverless:
            summary |= {
                "CurrentInstanceCount": 0,
                "CurrentServerlessConfig": serverless,
                "DesiredServerlessConfig": serverless,
            }
        else:
            summary["CurrentInstanceCount"] = told["counts"][name]
            summary["DesiredInstanceCount"] = desired["counts"].get(name, told["counts"][name])
        summaries.append(summary)
    return summaries


def _capture(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """None where nothing is captured: clients stumble over an empty member."""
    if config is None:
        return None
    enabled = config.get("EnableCapture", True)
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }


def _refuse_unless_in_service(row: Row) -> None:
    if row.status == endpoints.FAILED:
        raise invalid(f'Cannot update endpoint "{row.arn}" in status Failed; it can be deleted.')
    if row.status != endpoints.IN_SERVICE:
        raise _in_progress(row)


def _in_progress(row: Row) -> Refusal:
    return invalid(f'Cannot update in-progress endpoint "{row.arn}".')


def _missing(platform: Platform, name: str) -> Refusal:
    return not_found(_NOUN, platform.account.arn(_KIND, name))
