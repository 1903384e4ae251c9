"""What the SageMaker SDK finds of JumpStart, and the jobs that come of it."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError
from sklearn.datasets import load_digits

import clary
from clary.control.jumpstart import hyperparameters
from clary.control.jumpstart_models import families
from clary.server.jumpstart import write_manifest
from clary.spec.jumpstart import JumpStartModel
from tests.runtime.conftest import INSTALLED
from tests.runtime.trees import REPOSITORY
from tests.servers import Server, channel, finished, served, training_request

BUCKET = "jumpstart-cache-prod-us-east-1"
CLASSES = "xgboost-classification-model"


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server beside which a third party's algorithm is installed, with a JumpStart id."""
    path = os.pathsep.join(map(str, (INSTALLED, REPOSITORY)))
    with served(tmp_path_factory.mktemp("stranger"), PYTHONPATH=path) as running:
        put_table(running, "tab/train", slice(0, 1400))
        yield running


@pytest.fixture(scope="module")
def tables(server: Server) -> Server:
    put_table(server, "tab/train", slice(0, 1400))
    put_table(server, "tab/validation", slice(1400, None))
    return server


def put_table(server: Server, prefix: str, rows: slice) -> None:
    features, label = load_digits(return_X_y=True)
    folder = server.bucket / prefix
    folder.mkdir(parents=True, exist_ok=True)
    table = np.column_stack([label, features])[rows]
    np.savetxt(folder / "data.csv", table, delimiter=",", fmt="%g")


def read(server: Server, key: str) -> Any:
    return json.loads((server.root / "s3" / BUCKET / key).read_text())


def specification(server: Server, model_id: str) -> dict[str, Any]:
    """The specification of a model as the SDK finds it: over the manifest."""
    (key,) = [
        one["spec_key"]
        for one in read(server, "models_manifest.json")
        if one["model_id"] == model_id
    ]
    found: dict[str, Any] = read(server, key)
    return found


def image_of(found: dict[str, Any], instance_type: str) -> str:
    """The training image, by the SDK's own steps: family, alias, region."""
    variants = found["training_instance_type_variants"]
    alias = variants["variants"][instance_type.split(".")[1]]["regional_properties"]["image_uri"]
    image: str = variants["regional_aliases"]["us-east-1"][alias.removeprefix("$")]
    return image


def jumpstart_request(found: dict[str, Any], channels: list[Any], **given: str) -> dict[str, Any]:
    """What an estimator of the SDK sends: values in quotes, the script's names, the model."""
    defaults = {
        one["name"]: one["default"]
        for one in found["hyperparameters"]
        if one["scope"] == "algorithm"
    }
    quoted = {name: json.dumps(str(value)) for name, value in {**defaults, **given}.items()}
    source = f"s3://{BUCKET}/{found['training_script_key']}"
    model = channel("model", content_type="application/x-sagemaker-model")
    model["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{BUCKET}/{found['training_artifact_key']}"
    request = training_request(
        f"js-{uuid4().hex[:8]}",
        "",
        InputDataConfig=[*channels, model],
        HyperParameters={
            **quoted,
            "sagemaker_submit_directory": f'"{source}"',
            "sagemaker_program": '"transfer_learning.py"',
            "sagemaker_container_log_level": "20",
            "sagemaker_job_name": '"js"',
            "sagemaker_region": '"us-east-1"',
        },
    )
    request["AlgorithmSpecification"]["TrainingImage"] = image_of(found, "ml.m5.xlarge")
    request["AlgorithmSpecification"]["MetricDefinitions"] = found["metrics"]
    return request


def trained(server: Server, request: dict[str, Any]) -> dict[str, Any]:
    client = server.client("sagemaker")
    client.create_training_job(**request)
    return finished(client, request["TrainingJobName"])


def model_of(server: Server, job: dict[str, Any]) -> Any:
    place = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://")
    return clary.load(server.root / "s3" / place)


def untyped(name: str, prefix: str) -> dict[str, Any]:
    one = channel(name, prefix)
    del one["ContentType"]
    return one


def test_a_job_of_a_jumpstart_model_learns_from_train_and_validation(tables: Server) -> None:
    found = specification(tables, CLASSES)
    request = jumpstart_request(found, [untyped("training", "tab/")], num_boost_round="30")
    job = trained(tables, request)
    assert job["TrainingJobStatus"] == "Completed", job
    assert job["HyperParameters"] == request["HyperParameters"]
    assert job["InputDataConfig"] == request["InputDataConfig"]
    metrics = {one["MetricName"]: one["Value"] for one in job["FinalMetricDataList"]}
    # Beyond five digits of the log line, it is XGBoost's own result
    assert metrics["validation:mlogloss"] == pytest.approx(reference_loss(30), abs=1e-5)
    model = model_of(tables, job)
    rows, label = load_digits(return_X_y=True)
    assert np.mean(model.predict(rows[1400:]) == label[1400:]) > 0.85


def reference_loss(rounds: int) -> float:
    """The loss on validation after XGBoost's own training."""
    rows, label = load_digits(return_X_y=True)
    train, validation = (
        xgboost.DMatrix(rows[part], label[part]) for part in (slice(0, 1400), slice(1400, None))
    )
    history: dict[str, Any] = {}
    xgboost.train(
        {"objective": "multi:softprob", "num_class": 10, "alpha": 0, "max_depth": 6},
        train,
        rounds,
        evals=[(validation, "validation")],
        evals_result=history,
        early_stopping_rounds=10,
        verbose_eval=False,
    )
    return float(history["validation"]["mlogloss"][-1])


def test_rows_without_folders_are_all_trained_on(tables: Server) -> None:
    found = specification(tables, "xgboost-regression-model")
    request = jumpstart_request(found, [untyped("training", "tab/train/")], num_boost_round="3")
    job = trained(tables, request)
    assert job["TrainingJobStatus"] == "Completed", job
    assert "train:rmse" in {one["MetricName"] for one in job["FinalMetricDataList"]}


def test_a_pretrained_archive_is_not_trained_on_but_an_own_model_is(tables: Server) -> None:
    found = specification(tables, CLASSES)
    first = trained(
        tables, jumpstart_request(found, [untyped("train", "tab/train/")], num_boost_round="4")
    )
    request = jumpstart_request(found, [untyped("train", "tab/train/")], num_boost_round="3")
    place = request["InputDataConfig"][-1]["DataSource"]["S3DataSource"]
    place["S3Uri"] = first["ModelArtifacts"]["S3ModelArtifacts"]
    second = trained(tables, request)
    rounds = [model_of(tables, job).model_.summary()["rounds"] for job in (first, second)]
    assert rounds == [4, 7]


def test_a_third_party_s_model_id_falls_into_place(stranger: Server) -> None:
    found = specification(stranger, "means-of-columns")
    given = {one["name"]: one["default"] for one in found["hyperparameters"]}
    assert (given["passes"], given["decay"], given["mini_batch_size"]) == ("2", "0.25", "10")
    job = trained(stranger, jumpstart_request(found, [untyped("training", "tab/")], passes="4"))
    assert job["TrainingJobStatus"] == "Completed", job
    log = stranger.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    (stream,) = log.describe_log_streams(
        logGroupName=group, logStreamNamePrefix=job["TrainingJobName"]
    )["logStreams"]
    events = log.get_log_events(
        logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
    )["events"]
    epochs = [one["message"] for one in events if "train norm" in one["message"]]
    assert len(epochs) == 4


def test_the_hub_tells_of_a_model_what_the_bucket_tells(server: Server) -> None:
    client = server.client("sagemaker")
    told = client.describe_hub_content(
        HubName="SageMakerPublicHub", HubContentType="Model", HubContentName=CLASSES
    )
    document = json.loads(told["HubContentDocument"])
    found = specification(server, CLASSES)
    assert told["HubContentVersion"] == found["version"]
    assert document["TrainingEcrUri"] == image_of(found, "ml.m5.xlarge")
    assert document["TrainingScriptUri"] == f"s3://{BUCKET}/{found['training_script_key']}"
    assert {one["Name"]: one["Default"] for one in document["Hyperparameters"]} == {
        one["name"]: one["default"] for one in found["hyperparameters"]
    }
    assert "ml.c5.2xlarge" in document["SupportedTrainingInstanceTypes"]
    assert document["SageMakerSdkPredictorSpecifications"]["DefaultContentType"] == "text/csv"


@pytest.mark.parametrize(
    "changed",
    [
        {"HubContentName": "lightgbm-classification-model"},
        {"HubName": "my-hub"},
        {"HubContentType": "Notebook"},
        {"HubContentVersion": "9.9.9"},
    ],
    ids=str,
)
def test_what_the_hub_lacks_is_told(server: Server, changed: dict[str, str]) -> None:
    asked = {
        "HubName": "SageMakerPublicHub",
        "HubContentType": "Model",
        "HubContentName": CLASSES,
        **changed,
    }
    with pytest.raises(ClientError) as error:
        server.client("sagemaker").describe_hub_content(**asked)
    assert error.value.response["Error"]["Code"] == "ResourceNotFound"


def test_drivers_of_sdk_3_are_passed_over_and_code_of_one_s_own_is_refused(
    tables: Server,
) -> None:
    channels = [channel("train", "tab/train/"), channel("sm_drivers", "tab/validation/")]
    request = training_request(
        f"drivers-{uuid4().hex[:8]}",
        "xgboost",
        HyperParameters={"num_round": "2"},
        InputDataConfig=channels,
    )
    assert trained(tables, request)["TrainingJobStatus"] == "Completed"
    request["InputDataConfig"] = [*channels, channel("code", "tab/train/")]
    with pytest.raises(ClientError, match="cannot be run: xgboost is a built-in algorithm here"):
        trained(tables, request)


def test_images_are_named_for_every_family_of_instances(server: Server) -> None:
    found = specification(server, CLASSES)
    assert {"m5", "c5", "p3", "g5", "trn1", "t2"} <= set(families())
    for family in families():
        assert f"/{CLASSES}:" in image_of(found, f"ml.{family}.xlarge")


def test_what_a_specification_names_is_in_the_bucket(server: Server) -> None:
    for model_id in (CLASSES, "xgboost-regression-model"):
        found = specification(server, model_id)
        for key, inside in (
            ("training_script_key", ["transfer_learning.py"]),
            ("hosting_script_key", ["inference.py"]),
            ("training_artifact_key", []),
            ("hosting_artifact_key", []),
        ):
            with tarfile.open(server.root / "s3" / BUCKET / found[key]) as archive:
                assert archive.getnames() == inside
        assert len(found["metrics"]) <= 40


def test_the_manifest_is_written_once_and_lets_other_files_be(tmp_path: Path) -> None:
    bucket = tmp_path / "jumpstart-cache-prod-eu-west-1"
    own = bucket / "training-datasets" / "mine.csv"
    own.parent.mkdir(parents=True)
    own.write_text("1,2\n")
    ids = write_manifest(tmp_path, "eu-west-1")
    files = {path: path.read_bytes() for path in bucket.rglob("*") if path.is_file()}
    times = {path: path.stat().st_mtime_ns for path in files}
    (bucket / "models_manifest.json").write_text("[]")
    assert write_manifest(tmp_path, "eu-west-1") == ids
    assert {path: path.read_bytes() for path in files} == files
    changed = [path.name for path in files if path.stat().st_mtime_ns != times[path]]
    assert changed == ["models_manifest.json"]
    assert {one["model_id"] for one in json.loads(files[bucket / "models_manifest.json"])} == set(
        ids
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"epochs": "9", "loss": "l1"}),
        ({"rounds": '"3"'}, {"epochs": '"3"', "loss": "l1"}),
        ({"epochs": "4"}, {"epochs": "4", "loss": "l1"}),
        ({"rounds": "3", "epochs": "4", "loss": "l2"}, {"epochs": "4", "loss": "l2"}),
        ({"other": "1"}, {"epochs": "9", "loss": "l1", "other": "1"}),
    ],
)
def test_what_the_id_sets_gives_way_to_what_is_given(
    given: dict[str, str], expected: dict[str, str]
) -> None:
    model = JumpStartModel("m", "M", {"rounds": "9", "loss": "l1"}, {"rounds": "epochs"})
    assert hyperparameters(model, given) == expected
