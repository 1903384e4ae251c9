"""Algorithms as resources, and the images by which requests name them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from clary.algorithms import CATALOGUE, declaration
from clary.spec.registries import ACCOUNTS
from tests.servers import Server, finished, training_request

each_algorithm = pytest.mark.parametrize("name", list(CATALOGUE))


@pytest.fixture(scope="module")
def client(server: Server) -> Any:
    return server.client("sagemaker")


@pytest.fixture
def own(client: Any) -> Iterator[str]:
    """An own algorithm that stands for k-means."""
    name = f"own-{uuid4().hex[:8]}"
    client.create_algorithm(**own_algorithm(name))
    yield name
    client.delete_algorithm(AlgorithmName=name)


def own_algorithm(name: str, image: str = "kmeans:1") -> dict[str, Any]:
    return {
        "AlgorithmName": name,
        "AlgorithmDescription": "Groups our customers",
        "TrainingSpecification": {
            "TrainingImage": f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{image}",
            "SupportedTrainingInstanceTypes": ["ml.m5.large"],
            "TrainingChannels": [
                {
                    "Name": "train",
                    "SupportedContentTypes": ["text/csv"],
                    "SupportedInputModes": ["File"],
                }
            ],
        },
    }


@each_algorithm
def test_a_built_in_algorithm_is_described_from_its_declaration(client: Any, name: str) -> None:
    described = client.describe_algorithm(AlgorithmName=name)
    specification = described["TrainingSpecification"]
    algorithm = declaration(name)
    assert described["AlgorithmArn"] == f"arn:aws:sagemaker:us-east-1:123456789012:algorithm/{name}"
    assert described["AlgorithmStatus"] == "Completed"
    assert [one["Name"] for one in specification["SupportedHyperParameters"]] == list(
        algorithm.hyperparameters.declared()
    )
    assert [one["Name"] for one in specification["TrainingChannels"]] == [
        channel.name for channel in algorithm.channels
    ]
    account = ACCOUNTS["us-east-1"]["f" if name == "xgboost" else "a"]
    assert specification["TrainingImage"].startswith(f"{account}.dkr.ecr.us-east-1.amazonaws.com/")
    accepts = described["InferenceSpecification"]["SupportedContentTypes"]
    assert set(accepts) == set(algorithm.inference.accepts)
    assert client.describe_algorithm(AlgorithmName=described["AlgorithmArn"])["AlgorithmName"]


def test_own_algorithms_are_listed_beside_the_built_in_ones(client: Any, own: str) -> None:
    pages = client.get_paginator("list_algorithms").paginate(
        SortBy="Name", PaginationConfig={"PageSize": 2}
    )
    names = [one["AlgorithmName"] for page in pages for one in page["AlgorithmSummaryList"]]
    assert names == sorted(names)
    assert {own, *CATALOGUE} <= set(names)
    (one,) = client.list_algorithms(NameContains=own)["AlgorithmSummaryList"]
    assert one["AlgorithmDescription"] == "Groups our customers"
    newest = client.list_algorithms(SortBy="CreationTime", SortOrder="Descending")
    assert newest["AlgorithmSummaryList"][0]["AlgorithmName"].startswith("own-")


@pytest.mark.parametrize("by", ["name", "arn", "built-in"])
def test_a_job_is_trained_by_an_algorithm_s_name(client: Any, own: str, by: str) -> None:
    name = {
        "name": own,
        "arn": client.describe_algorithm(AlgorithmName=own)["AlgorithmArn"],
        "built-in": "kmeans",
    }[by]
    request = training_request(f"by-{by}-{uuid4().hex[:6]}", "", HyperParameters={"k": "3"})
    request["AlgorithmSpecification"] = {"AlgorithmName": name, "TrainingInputMode": "File"}
    client.create_training_job(**request)
    job = finished(client, request["TrainingJobName"])
    assert job["TrainingJobStatus"] == "Completed"
    assert job["AlgorithmSpecification"]["AlgorithmName"] == name


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"AlgorithmName": "kmeans"}, "Cannot create already existing algorithm"),
        ({"image": "pytorch:2"}, "is none of a built-in algorithm"),
        ({"image": "lda:1"}, "lda is not implemented yet; implemented: linear-learner, kmeans"),
        (
            {
                "ValidationSpecification": {
                    "ValidationRole": "arn:aws:iam::123456789012:role/validation",
                    "ValidationProfiles": [
                        {
                            "ProfileName": "all",
                            "TrainingJobDefinition": {
                                "TrainingInputMode": "File",
                                "InputDataConfig": training_request("x", "")["InputDataConfig"],
                                "OutputDataConfig": {"S3OutputPath": "s3://data/out"},
                                "ResourceConfig": {
                                    "InstanceType": "ml.m5.large",
                                    "InstanceCount": 1,
                                    "VolumeSizeInGB": 1,
                                },
                                "StoppingCondition": {"MaxRuntimeInSeconds": 60},
                            },
                        }
                    ],
                }
            },
            "ValidationSpecification",
        ),
    ],
    ids=["a built-in's name", "unknown image", "not there yet", "validation"],
)
def test_own_algorithms_that_cannot_be_are_refused(
    client: Any, changed: dict[str, Any], message: str
) -> None:
    request = own_algorithm("refused", changed.pop("image", "kmeans:1")) | changed
    with pytest.raises(ClientError, match=message):
        client.create_algorithm(**request)


def test_own_algorithms_have_names_of_their_own(client: Any, own: str) -> None:
    with pytest.raises(ClientError, match="Cannot create already existing algorithm"):
        client.create_algorithm(**own_algorithm(own))


@pytest.mark.parametrize(
    "name", ["nobody", "arn:aws:sagemaker:eu-west-1:123456789012:algorithm/kmeans"]
)
def test_a_missing_algorithm_is_told(client: Any, name: str) -> None:
    with pytest.raises(ClientError, match="Could not find algorithm"):
        client.describe_algorithm(AlgorithmName=name)


def test_a_deleted_algorithm_is_gone(client: Any) -> None:
    client.create_algorithm(**own_algorithm("short-lived"))
    client.delete_algorithm(AlgorithmName="short-lived")
    with pytest.raises(ClientError, match="Could not find algorithm"):
        client.delete_algorithm(AlgorithmName="short-lived")


def test_built_in_algorithms_stay(client: Any) -> None:
    with pytest.raises(ClientError, match="built-in"):
        client.delete_algorithm(AlgorithmName="kmeans")


@pytest.mark.parametrize(
    ("image", "hyperparameters", "message"),
    [
        ("my-own", {}, "is none of a built-in algorithm.*Known repositories.*kmeans.*xgboost"),
        ("forecasting-deepar", {}, "forecasting-deepar is not implemented yet; implemented: lin"),
        ("catboost-regression-model", {}, "catboost is not implemented yet"),
        ("pytorch-training", {}, "shared by lightgbm, catboost, tabtransformer"),
        (
            "pytorch-training",
            {"sagemaker_submit_directory": '"s3://b/lightgbm/x/sourcedir.tar.gz"'},
            "lightgbm is not implemented yet",
        ),
        (
            "sagemaker-xgboost",
            {"sagemaker_program": '"train.py"', "num_round": "2"},
            "The script train.py cannot be run",
        ),
    ],
    ids=["unknown", "not there yet", "JumpStart id", "shared", "JumpStart's script", "script"],
)
def test_jobs_whose_image_trains_nothing_here_are_refused(
    client: Any, image: str, hyperparameters: dict[str, str], message: str
) -> None:
    request = training_request("refused", image, HyperParameters=hyperparameters)
    with pytest.raises(ClientError, match=message) as error:
        client.create_training_job(**request)
    assert error.value.response["Error"]["Code"] == "ValidationException"
