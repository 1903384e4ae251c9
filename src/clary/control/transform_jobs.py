"""Transform jobs: Create, Describe, List, Stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clary.aws.errors import Refusal, invalid
from clary.control import models
from clary.control.pages import rows_page
from clary.control.refusals import in_use
from clary.control.tags import given
from clary.data.sources import resolve
from clary.db.resources import Missing, Row, Taken
from clary.errors import CallerError
from clary.jobs import states, transform
from clary.jobs.platform import Platform
from clary.jobs.serving.deployments import containers_of, is_multi_model
from clary.jobs.transforming.request import Transform

_KIND = transform.KIND
IGNORED: Mapping[str, str] = {
    "DataCaptureConfig": "refused: what is transformed lies in the store already",
    "ExperimentConfig": "kept; there are no experiments",
    "InstanceType": "kept; there are no instances",
    "KmsKeyId": "kept; files lie as they are on this machine",
    "TransformAmiVersion": "kept; there are no instances",
    "VolumeKmsKeyId": "kept; files lie as they are on this machine",
}
UNTOLD: Mapping[str, str] = {
    "AutoMLJobArn": "there are no AutoML jobs",
    "LabelingJobArn": "there are no labeling jobs",
}


def create(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    name = request["TransformJobName"]
    model = models.found(platform, request["ModelName"])
    _check(platform, request, model)
    stored = {key: value for key, value in request.items() if key != "Tags"}
    state = transform.first_state(request, model.request)
    arn = platform.account.arn(_KIND, name)
    try:
        row = platform.resources.create(
            _KIND, name, arn, stored, status=states.IN_PROGRESS, state=state, tags=given(request)
        )
    except Taken as taken:
        raise in_use(
            "Transform job names must be unique within an AWS account and region, and a transform "
            f"job with this name already exists ({taken.arn})"
        ) from None
    transform.begin(platform, row)
    return {"TransformJobArn": arn}


def describe(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    row = platform.resources.find(_KIND, request["TransformJobName"])
    if row is None:
        raise _missing(request["TransformJobName"])
    return {
        **row.shown(),
        "TransformJobArn": row.arn,
        "TransformJobStatus": row.status,
        "CreationTime": row.created / 1000,
    }


def list_(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    rows, more = rows_page(platform, _KIND, request)
    return {"TransformJobSummaries": [_summary(row) for row in rows], **more}


def stop(platform: Platform, request: dict[str, Any]) -> None:
    name = request["TransformJobName"]
    try:
        with platform.resources.changing(_KIND, name) as row:
            if row.status in states.FINISHED:
                raise invalid(
                    f"The request was rejected because the transform job is in status {row.status}."
                )
            row.status = states.STOPPING
    except Missing:
        raise _missing(name) from None
    transform.stop(platform, row)


def _missing(name: str) -> Refusal:
    return invalid(f"Could not find requested job with name: {name}")


def _check(platform: Platform, request: Mapping[str, Any], model: Row) -> None:
    """Refuse what could not be done, and inputs in which nothing is."""
    if "DataCaptureConfig" in request:
        raise invalid("DataCaptureConfig is not available for transform jobs here")
    if any(is_multi_model(one) for one in containers_of(model.request)):
        raise invalid(f"Model {model.name} has many models; a transform job needs one with one")
    try:
        Transform.of(request)
        if not resolve(transform.source_of(request), platform.stores):
            raise CallerError.of("TransformInput", "there are no objects")
        platform.stores.locate(request["TransformOutput"]["S3OutputPath"])
    except CallerError as error:
        raise invalid(str(error)) from None


def _summary(row: Row) -> dict[str, Any]:
    return {
        "TransformJobName": row.name,
        "TransformJobArn": row.arn,
        "CreationTime": row.created / 1000,
        "TransformEndTime": row.state.get("TransformEndTime"),
        "LastModifiedTime": row.modified / 1000,
        "TransformJobStatus": row.status,
        "FailureReason": row.state.get("FailureReason"),
    }
