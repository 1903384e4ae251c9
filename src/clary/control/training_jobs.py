"""Training jobs: Create, Describe, List, Stop, Update, Delete."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from clary.algorithms import declaration
from clary.aws.errors import invalid
from clary.control.algorithms import trained_by
from clary.control.jumpstart import adapted
from clary.control.pages import rows_page
from clary.control.refusals import in_use
from clary.control.tags import given
from clary.data.sources import Source, resolve
from clary.db.resources import Missing, Row, Taken
from clary.errors import CallerError
from clary.jobs import states, training
from clary.jobs.platform import Platform

_KIND = training.KIND
IGNORED: Mapping[str, str] = {
    "ContainerArguments": "kept; the built-in algorithms' own entry is run",
    "ContainerEntrypoint": "kept; the built-in algorithms' own entry is run",
    "DatasetSource": "refused: channels come from S3DataSource",
    "DebugHookConfig": "kept; no debugger is run",
    "DebugRuleConfigurations": "kept; no debugger is run",
    "EnableInterContainerTrafficEncryption": "kept; hosts are processes of one machine",
    "EnableNetworkIsolation": "kept; a training opens connections to the object store only",
    "EnableSageMakerMetricsTimeSeries": "kept; metrics are always in CloudWatch's answers",
    "ExperimentConfig": "kept; there are no experiments",
    "FileSystemDataSource": "refused: channels come from S3DataSource",
    "HubAccessConfig": "kept; the store needs no agreement",
    "InfraCheckConfig": "kept; there are no instances to check",
    "InstanceGroupName": "kept; all hosts are alike",
    "InstanceGroupNames": "kept; all hosts get the channel",
    "InstancePlacementConfig": "kept; there are no instances",
    "InstancePreferences": "kept; there are no instances",
    "KeepAlivePeriodInSeconds": "kept; workers are always warm",
    "KmsKeyId": "kept; files lie as they are on this machine",
    "LocalPath": "kept; built-in algorithms know where checkpoints are",
    "MaxPendingTimeInSeconds": "kept; a job waits until there is a place",
    "MlflowConfig": "kept; nothing is sent to MLflow",
    "ModelAccessConfig": "kept; the store needs no agreement",
    "ModelPackageConfig": "kept; there are no model packages",
    "ProfilerConfig": "kept; no profiler is run",
    "ProfilerRuleConfigurations": "kept; no profiler is run",
    "RemoteDebugConfig": "kept; there are no instances to log in to",
    "RetryStrategy": "kept; a job is taken up again when the server died, not else",
    "RoleArn": "kept; there is no access control",
    "SelectedInstanceCount": "kept; there are no instances",
    "SelectedInstanceType": "kept; there are no instances",
    "ServerlessJobConfig": "kept; a job needs AlgorithmSpecification and ResourceConfig",
    "SessionChainingConfig": "kept; there is no access control",
    "TensorBoardOutputConfig": "kept; the report page is in the output",
    "TrainingImageConfig": "kept; images are names here",
    "TrainingPlanArn": "kept; there are no instances",
    "VolumeKmsKeyId": "kept; files lie as they are on this machine",
    "VolumeSizeInGB": "kept; a job has what room the disk has",
    "VpcConfig": "kept; jobs are processes of this machine",
}
UNTOLD: Mapping[str, str] = {
    "AutoMLJobArn": "there are no AutoML jobs",
    "BillableTokenCount": "no job has tokens",
    "DebugRuleEvaluationStatuses": "no debugger is run",
    "LabelingJobArn": "there are no labeling jobs",
    "MlflowDetails": "nothing is sent to MLflow",
    "OutputModelPackageArn": "there are no model packages",
    "ProfilerRuleEvaluationStatuses": "no profiler is run",
    "ProfilingStatus": "no profiler is run",
    "ProgressInfo": "the log and the secondary status tell",
    "TuningJobArn": "there are no tuning jobs yet",
    "WarmPoolStatus": "no job has a warm pool of its own",
}
_MAX_RUNTIME = {"MaxRuntimeInSeconds": 86_400}
_MISSING = "Requested resource not found."


def create(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    name = request["TrainingJobName"]
    _check(request)
    asked = trained_by(platform, request)
    hosts, instance_type = _instances(request["ResourceConfig"])
    _check_inputs(platform, request)
    tags = given(request)
    stored = {key: value for key, value in request.items() if key != "Tags"}
    stored.setdefault("StoppingCondition", _MAX_RUNTIME)
    stored["OutputDataConfig"].setdefault("KmsKeyId", "")
    stored["AlgorithmSpecification"] = _with_metrics(
        request["AlgorithmSpecification"], asked.algorithm
    )
    state: dict[str, Any] = {
        "_Algorithm": asked.algorithm,
        "_Hosts": hosts,
        "_InstanceType": instance_type,
        "_Adapted": adapted(platform, request, asked),
    }
    states.move(state, "Starting" if platform.engine.has_place() else "Pending")
    arn = platform.account.arn(_KIND, name)
    try:
        row = platform.resources.create(
            _KIND, name, arn, stored, status=states.IN_PROGRESS, state=state, tags=tags
        )
    except Taken as taken:
        raise in_use(
            "Training job names must be unique within an AWS account and region, and a training "
            f"job with this name already exists ({taken.arn})"
        ) from None
    training.begin(platform, row)
    return {"TrainingJobArn": arn}


def describe(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    return described(_found(platform, request["TrainingJobName"]))


def described(row: Row) -> dict[str, Any]:
    """What Describe answers."""
    return {
        **row.shown(),
        "TrainingJobArn": row.arn,
        "TrainingJobStatus": row.status,
        "CreationTime": row.created / 1000,
        "LastModifiedTime": row.modified / 1000,
    }


def list_(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    if "WarmPoolStatusEquals" in request or "TrainingPlanArnEquals" in request:
        # No job here has a warm pool of its own, or a plan
        return {"TrainingJobSummaries": []}
    rows, more = rows_page(platform, _KIND, request, order="Ascending")
    return {"TrainingJobSummaries": [_summary(row) for row in rows], **more}


def stop(platform: Platform, request: dict[str, Any]) -> None:
    name = request["TrainingJobName"]
    try:
        with platform.resources.changing(_KIND, name) as row:
            if row.status in states.FINISHED:
                raise invalid(
                    f"The request was rejected because the training job is in status {row.status}."
                )
            if row.status == states.IN_PROGRESS:
                row.status = states.STOPPING
                states.move(row.state, "Stopping")
    except Missing:
        raise invalid(_MISSING) from None
    training.stop(platform, name)


def update(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    """Profiler settings and the keep-alive of warm pools: stored, without effect here."""
    changed = {key: value for key, value in request.items() if key != "TrainingJobName"}
    try:
        with platform.resources.changing(_KIND, request["TrainingJobName"]) as row:
            row.request = {**row.request, **_merged(row.request, changed)}
            return {"TrainingJobArn": row.arn}
    except Missing:
        raise invalid(_MISSING) from None


def delete(platform: Platform, request: dict[str, Any]) -> None:
    row = _found(platform, request["TrainingJobName"])
    if row.status not in states.FINISHED:
        raise in_use(f"The training job {row.arn} is in status {row.status}")
    platform.resources.remove(_KIND, row.name)
    shutil.rmtree(platform.folder(_KIND, row.name), ignore_errors=True)


def _found(platform: Platform, name: str) -> Row:
    row = platform.resources.find(_KIND, name)
    if row is None:
        raise invalid(_MISSING)
    return row


def _check(request: Mapping[str, Any]) -> None:
    """The rules between members, which no model of the service tells."""
    for member in ("AlgorithmSpecification", "ResourceConfig"):
        if member not in request:
            raise invalid(f"1 validation error detected: {member} is required for a training job")
    names = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    for name in sorted({name for name in names if names.count(name) > 1}):
        raise invalid(f"Channel names must be unique, but {name} was given more than once")
    condition = request.get("StoppingCondition", _MAX_RUNTIME)
    if request.get("EnableManagedSpotTraining"):
        longest = condition.get("MaxRuntimeInSeconds", _MAX_RUNTIME["MaxRuntimeInSeconds"])
        if condition.get("MaxWaitTimeInSeconds", 0) < longest:
            raise invalid(
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal "
                "to MaxRuntimeInSeconds for managed spot training"
            )
    elif "MaxWaitTimeInSeconds" in condition:
        raise invalid("MaxWaitTimeInSeconds belongs to EnableManagedSpotTraining")


def _instances(config: Mapping[str, Any]) -> tuple[int, str]:
    """How many hosts, and of which type: that of the first group, where there are groups."""
    groups = config.get("InstanceGroups")
    if groups and ("InstanceType" in config or "InstanceCount" in config):
        raise invalid("ResourceConfig takes InstanceGroups or InstanceType and InstanceCount")
    if groups:
        return sum(group["InstanceCount"] for group in groups), groups[0]["InstanceType"]
    if "InstanceType" not in config or "InstanceCount" not in config:
        raise invalid("ResourceConfig needs InstanceType and InstanceCount")
    return config["InstanceCount"], config["InstanceType"]


def _check_inputs(platform: Platform, request: Mapping[str, Any]) -> None:
    """Refuse inputs in which nothing is, as SageMaker does in the call itself."""
    mode = request["AlgorithmSpecification"].get("TrainingInputMode", "File")
    for channel in request.get("InputDataConfig", []):
        uri = channel["DataSource"].get("S3DataSource", {}).get("S3Uri", "")
        try:
            source = Source.from_request(channel, mode)
            if source.data_type == "S3Prefix":
                location = platform.stores.locate(uri)
                if location.store.objects(location.key):
                    continue
            elif resolve(source, platform.stores):
                continue
        except CallerError as error:
            raise invalid(str(error)) from None
        raise invalid(_nothing_there(uri, request["RoleArn"], platform.account.region))


def _nothing_there(uri: str, role: str, region: str) -> str:
    bucket = uri.partition("://")[2].partition("/")[0]
    return (
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that '
        f"the bucket exists in the selected region ({region}), that objects exist under that S3 "
        f'prefix, and that the role "{role}" has "s3:ListBucket" permissions on bucket "{bucket}".'
    )


def _with_metrics(specification: Mapping[str, Any], algorithm: str) -> dict[str, Any]:
    """The algorithm's own metrics are always there; what is given comes on top of them."""
    own = specification.get("MetricDefinitions", [])
    names = {one["Name"] for one in own}
    built_in = [
        {"Name": one.name, "Regex": one.regex}
        for one in declaration(algorithm).metrics
        if one.name not in names
    ]
    return {**specification, "MetricDefinitions": built_in + own}


def _merged(stored: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: {**stored.get(key, {}), **value} if isinstance(value, dict) else value
        for key, value in changed.items()
    }


def _summary(row: Row) -> dict[str, Any]:
    return {
        "TrainingJobName": row.name,
        "TrainingJobArn": row.arn,
        "CreationTime": row.created / 1000,
        "TrainingEndTime": row.state.get("TrainingEndTime"),
        "LastModifiedTime": row.modified / 1000,
        "TrainingJobStatus": row.status,
        "SecondaryStatus": row.state.get("SecondaryStatus"),
    }
