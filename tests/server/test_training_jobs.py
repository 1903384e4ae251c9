"""Training jobs through boto3: what clients send, see and get."""

from __future__ import annotations

import shutil
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from sklearn.cluster import KMeans as Reference
from sklearn.datasets import load_digits

import clary
from clary.jobs import states
from tests.server.training_jobs import (
    K_MEANS,
    LONG,
    artifact,
    name_of,
    refused,
    trained,
    until_training,
)
from tests.servers import ROLE, Server, channel, finished, training_request


def test_a_job_completes_with_a_model_as_good_as_scikit_learns(server: Server) -> None:
    job = trained(server, "kmeans", K_MEANS)
    assert job["TrainingJobStatus"] == "Completed"
    rows = load_digits().data
    distances = clary.load(artifact(server, job)).transform(rows)
    found = float((np.asarray(distances).min(axis=1) ** 2).sum())
    best = Reference(10, n_init=3, random_state=0).fit(rows).inertia_
    # One pass over 1,797 rows, as SageMaker's default has it, stays within a few percent
    assert found < 1.05 * best


def test_describe_gives_back_the_request_and_what_came_of_it(server: Server) -> None:
    job = trained(server, "kmeans", K_MEANS, Environment={"WHO": "me"})
    assert job["HyperParameters"] == K_MEANS
    assert job["Environment"] == {"WHO": "me"}
    assert job["RoleArn"] == ROLE
    assert job["TrainingJobArn"].endswith(f":training-job/{job['TrainingJobName']}")
    assert job["CreationTime"] <= job["TrainingStartTime"] <= job["TrainingEndTime"]
    assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"] >= 1
    assert "FailureReason" not in job
    metrics = {one["MetricName"]: one["Value"] for one in job["FinalMetricDataList"]}
    assert metrics["train:msd"] > 0


@pytest.mark.parametrize(
    ("mode", "stages"),
    [
        ("File", ["Starting", "Downloading", "Training", "Uploading", "Completed"]),
        ("FastFile", ["Starting", "Downloading", "Training", "Uploading", "Completed"]),
        ("Pipe", ["Starting", "Training", "Uploading", "Completed"]),
    ],
)
def test_a_job_goes_through_sagemakers_stages(server: Server, mode: str, stages: list[str]) -> None:
    specification = {**training_request("x", "kmeans")["AlgorithmSpecification"]}
    specification["TrainingInputMode"] = mode
    job = trained(server, "kmeans", K_MEANS, AlgorithmSpecification=specification)
    transitions = job["SecondaryStatusTransitions"]
    assert [one["Status"] for one in transitions] == stages
    assert all(one["StatusMessage"] for one in transitions)
    times = [moment for one in transitions for moment in (one["StartTime"], one["EndTime"])]
    assert times == sorted(times)


def test_the_same_job_writes_the_same_bytes_in_every_input_mode(server: Server) -> None:
    models = []
    for mode in ("File", "Pipe"):
        specification = {**training_request("x", "kmeans")["AlgorithmSpecification"]}
        specification["TrainingInputMode"] = mode
        job = trained(server, "kmeans", K_MEANS, AlgorithmSpecification=specification)
        models.append(artifact(server, job).read_bytes())
    assert models[0] == models[1]


MANIFESTS = {
    "ManifestFile": '[{"prefix": "s3://data/train/"}, "digits.csv"]',
    "AugmentedManifestFile": '{"source-ref": "s3://data/train/digits.csv"}',
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_manifest_names_the_same_data_as_a_prefix(server: Server, kind: str) -> None:
    (server.bucket / "manifests").mkdir(exist_ok=True)
    (server.bucket / "manifests" / kind).write_text(MANIFESTS[kind])
    specification = {**training_request("x", "kmeans")["AlgorithmSpecification"]}
    specification["TrainingInputMode"] = "Pipe"
    train = channel("train", f"manifests/{kind}")
    source = train["DataSource"]["S3DataSource"]
    source["S3DataType"] = kind
    if kind == "AugmentedManifestFile":
        source["AttributeNames"] = ["source-ref"]
    plain = trained(server, "kmeans", K_MEANS)
    job = trained(
        server, "kmeans", K_MEANS, AlgorithmSpecification=specification, InputDataConfig=[train]
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert artifact(server, job).read_bytes() == artifact(server, plain).read_bytes()


def test_two_instances_train_one_model(server: Server) -> None:
    resources = {**training_request("x", "kmeans")["ResourceConfig"], "InstanceCount": 2}
    job = trained(
        server,
        "pca",
        {"num_components": "3", "feature_dim": "64", "mini_batch_size": "500"},
        ResourceConfig=resources,
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    streams = server.client("logs").describe_log_streams(
        logGroupName="/aws/sagemaker/TrainingJobs",
        logStreamNamePrefix=job["TrainingJobName"] + "/",
    )["logStreams"]
    hosts = [one["logStreamName"].partition("/")[2].rpartition("-")[0] for one in streams]
    assert hosts == ["algo-1", "algo-2"]


def test_an_earlier_model_is_trained_further(server: Server) -> None:
    first = trained(server, "kmeans", K_MEANS)
    key = first["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://data/")
    model = channel("model", key, "application/x-sagemaker-model")
    job = trained(server, "kmeans", K_MEANS, InputDataConfig=[channel("train"), model])
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert artifact(server, job).read_bytes() != artifact(server, first).read_bytes()


def test_an_uncompressed_output_is_a_folder_of_files(server: Server) -> None:
    output = {"S3OutputPath": "s3://data/out/", "CompressionType": "NONE"}
    job = trained(server, "kmeans", K_MEANS, OutputDataConfig=output)
    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith("/output/model/")
    assert "model_algo-1" in {path.name for path in artifact(server, job).iterdir()}


def test_metrics_of_ones_own_are_scraped_beside_the_built_in_ones(server: Server) -> None:
    specification = training_request("x", "kmeans")["AlgorithmSpecification"]
    own = [{"Name": "epochs", "Regex": r"epochs': '([0-9]+)"}]
    job = trained(
        server,
        "kmeans",
        K_MEANS,
        AlgorithmSpecification={**specification, "MetricDefinitions": own},
    )
    metrics = {one["MetricName"]: one["Value"] for one in job["FinalMetricDataList"]}
    assert metrics["epochs"] == 1
    assert "train:msd" in metrics


def test_cloudwatch_has_the_metrics_and_the_log(server: Server) -> None:
    job = trained(server, "kmeans", {**K_MEANS, "epochs": "3"})
    statistics = server.client("cloudwatch").get_metric_statistics(
        Namespace="/aws/sagemaker/TrainingJobs",
        MetricName="train:msd",
        Dimensions=[{"Name": "TrainingJobName", "Value": job["TrainingJobName"]}],
        StartTime=job["TrainingStartTime"],
        EndTime=datetime.now(UTC) + timedelta(minutes=1),
        Period=60,
        Statistics=["Average", "SampleCount"],
    )["Datapoints"]
    final = {one["MetricName"]: one["Value"] for one in job["FinalMetricDataList"]}
    assert statistics[-1]["Average"] == pytest.approx(final["train:msd"])
    logs = server.client("logs")
    (stream,) = logs.describe_log_streams(
        logGroupName="/aws/sagemaker/TrainingJobs",
        logStreamNamePrefix=job["TrainingJobName"] + "/",
    )["logStreams"]
    page = logs.get_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs",
        logStreamName=stream["logStreamName"],
        startFromHead=True,
    )
    assert any("train msd <loss>" in event["message"] for event in page["events"])
    again = logs.get_log_events(
        logGroupName="/aws/sagemaker/TrainingJobs",
        logStreamName=stream["logStreamName"],
        startFromHead=True,
        nextToken=page["nextForwardToken"],
    )
    assert again["events"] == []
    assert again["nextForwardToken"] == page["nextForwardToken"]


def test_metric_data_are_told_by_query_and_what_cannot_be_told_is_refused(server: Server) -> None:
    job, client = trained(server, "kmeans", K_MEANS), server.client("cloudwatch")
    metric = {
        "Namespace": "/aws/sagemaker/TrainingJobs",
        "MetricName": "train:msd",
        "Dimensions": [{"Name": "TrainingJobName", "Value": job["TrainingJobName"]}],
    }
    when = {
        "StartTime": job["TrainingStartTime"],
        "EndTime": datetime.now(UTC) + timedelta(minutes=1),
    }
    final = {one["MetricName"]: one["Value"] for one in job["FinalMetricDataList"]}

    def told(**query: Any) -> list[float]:
        answer = client.get_metric_data(MetricDataQueries=[{"Id": "q", **query}], **when)
        return list(answer["MetricDataResults"][0]["Values"])

    stat = {"Metric": metric, "Period": 60, "Stat": "Maximum"}
    assert told(MetricStat=stat) == [pytest.approx(final["train:msd"])]
    with pytest.raises(ClientError, match="Stat p99 is not available"):
        told(MetricStat={**stat, "Stat": "p99"})
    with pytest.raises(ClientError, match="Expression is not available"):
        told(Expression="q1 * 2")
    listed = client.list_metrics(Dimensions=metric["Dimensions"])["Metrics"]
    assert {one["MetricName"] for one in listed} == set(final)


def test_a_job_that_cannot_succeed_fails_with_the_reason(server: Server) -> None:
    job = trained(server, "kmeans", {**K_MEANS, "feature_dim": "65"})
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ")
    assert "65" in job["FailureReason"]
    assert "ModelArtifacts" not in job or not artifact(server, job).exists()


def test_an_unknown_hyperparameter_fails_the_job_in_sagemakers_words(server: Server) -> None:
    job = trained(server, "kmeans", {**K_MEANS, "clusters": "3"})
    words = "Additional hyperparameters are not allowed ('clusters' was unexpected)"
    assert words in job["FailureReason"]


def test_a_stopped_job_keeps_the_model_it_had(server: Server) -> None:
    client, name = server.client("sagemaker"), name_of("stopped")
    client.create_training_job(**training_request(name, "kmeans", HyperParameters=LONG))
    until_training(client, name)
    time.sleep(0.5)
    client.stop_training_job(TrainingJobName=name)
    job = finished(client, name)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Stopped"
    assert clary.load(artifact(server, job))
    stages = [one["Status"] for one in job["SecondaryStatusTransitions"]]
    assert stages[-2:] == ["Stopping", "Stopped"] or stages[-3:-1] == ["Stopping", "Uploading"]


def test_a_job_beyond_its_time_is_stopped_not_failed(server: Server) -> None:
    job = trained(server, "kmeans", LONG, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert job["TrainingJobStatus"] == "Stopped"
    assert job["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert clary.load(artifact(server, job))


def test_a_finished_job_cannot_be_stopped_but_deleted(server: Server) -> None:
    job, client = trained(server, "kmeans", K_MEANS), server.client("sagemaker")
    name = job["TrainingJobName"]
    with pytest.raises(ClientError) as error:
        client.stop_training_job(TrainingJobName=name)
    assert refused(error)[0] == "ValidationException"
    client.delete_training_job(TrainingJobName=name)
    with pytest.raises(ClientError) as error:
        client.describe_training_job(TrainingJobName=name)
    assert refused(error) == ("ValidationException", "Requested resource not found.")


def test_of_two_jobs_with_one_name_at_the_same_instant_one_is_made(server: Server) -> None:
    name, codes = name_of("race"), []
    begin = threading.Barrier(4)

    def create() -> None:
        client = server.client("sagemaker")
        begin.wait()
        try:
            client.create_training_job(**training_request(name, "kmeans", HyperParameters=K_MEANS))
            codes.append("made")
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["ResourceInUse"] * 3 + ["made"]
    assert finished(server.client("sagemaker"), name)["TrainingJobStatus"] == "Completed"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"TrainingJobName": "not a name"}, "satisfy regular expression pattern"),
        ({"HyperParameters": {"k": "1" * 2501}}, "length less than or equal to 2500"),
        ({"RoleArn": "arn:aws:iam::1:role/too-short"}, "at 'roleArn'"),
        ({"InputDataConfig": [channel("a", "train/"), channel("a", "train/")]}, "unique"),
        ({"InputDataConfig": [channel("train", "nothing/")]}, "No S3 objects found under S3 URL"),
        ({"EnableManagedSpotTraining": True}, "MaxWaitTimeInSeconds"),
        ({"ResourceConfig": {"VolumeSizeInGB": 1}}, "InstanceType"),
        ({"Tags": [{"Key": "aws:x", "Value": "y"}]}, "reserved"),
    ],
    ids=["name", "length", "role", "channels", "nothing there", "spot", "no instances", "tag"],
)
def test_what_a_request_breaks_is_told_in_the_call(
    server: Server, changed: dict[str, Any], words: str
) -> None:
    request = training_request(name_of("refused"), "kmeans", HyperParameters=K_MEANS)
    with pytest.raises(ClientError) as error:
        server.client("sagemaker").create_training_job(**{**request, **changed})
    code, message = refused(error)
    assert code == "ValidationException"
    assert words in message


def test_an_image_of_nobody_is_refused_with_the_known_ones(server: Server) -> None:
    with pytest.raises(ClientError) as error:
        server.client("sagemaker").create_training_job(**training_request("x", "my-own"))
    code, message = refused(error)
    assert code == "ValidationException"
    assert "kmeans" in message


def test_checkpoints_are_in_the_bucket(server: Server) -> None:
    shutil.copytree(server.bucket / "labelled", server.bucket / "xgb", dirs_exist_ok=True)
    job = trained(
        server,
        "xgboost",
        {"num_round": "3", "objective": "multi:softmax", "num_class": "10"},
        InputDataConfig=[channel("train", "xgb/")],
        CheckpointConfig={"S3Uri": "s3://data/checkpoints/here"},
    )
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert any("checkpoint" in path.name for path in (server.bucket / "checkpoints/here").iterdir())


def test_every_stage_can_only_go_where_the_table_says() -> None:
    known = set(states.TRAINING_MOVES)
    assert all(set(after) <= known for after in states.TRAINING_MOVES.values())
