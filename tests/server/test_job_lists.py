"""Training jobs listed, tagged and searched through boto3."""

from __future__ import annotations

from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.server.training_jobs import (
    K_MEANS,
    name_of,
    trained,
)
from tests.servers import ROLE, Server, finished, training_request


def test_a_list_comes_in_pages_without_gaps(server: Server) -> None:
    client = server.client("sagemaker")
    mark = uuid4().hex[:8]
    for number in range(5):
        name = f"page-{mark}-{number}"
        client.create_training_job(**training_request(name, "kmeans", HyperParameters=K_MEANS))
    pages = client.get_paginator("list_training_jobs").paginate(
        NameContains=mark, SortBy="Name", SortOrder="Descending", PaginationConfig={"PageSize": 2}
    )
    sizes = [[job["TrainingJobName"] for job in page["TrainingJobSummaries"]] for page in pages]
    assert [len(page) for page in sizes] == [2, 2, 1]
    assert [name for page in sizes for name in page] == [
        f"page-{mark}-{number}" for number in range(4, -1, -1)
    ]
    for number in range(5):
        assert finished(client, f"page-{mark}-{number}")["TrainingJobStatus"] == "Completed"
    with pytest.raises(ClientError, match="pagination token"):
        client.list_training_jobs(NextToken="nonsense")


def test_tags_are_added_listed_and_removed(server: Server) -> None:
    client = server.client("sagemaker")
    job = trained(server, "kmeans", K_MEANS, Tags=[{"Key": "team", "Value": "a"}])
    arn = job["TrainingJobArn"]
    client.add_tags(
        ResourceArn=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "x", "Value": ""}]
    )
    listed = {tag["Key"]: tag["Value"] for tag in client.list_tags(ResourceArn=arn)["Tags"]}
    assert listed == {"team": "b", "x": ""}
    client.delete_tags(ResourceArn=arn, TagKeys=["team", "never there"])
    assert [tag["Key"] for tag in client.list_tags(ResourceArn=arn)["Tags"]] == ["x"]


def test_search_finds_jobs_by_members_hyperparameters_metrics_and_tags(server: Server) -> None:
    client, mark = server.client("sagemaker"), uuid4().hex[:8]
    job = trained(server, "kmeans", {**K_MEANS, "k": "7"}, Tags=[{"Key": "mark", "Value": mark}])

    def names(*filters: dict[str, str]) -> list[str]:
        found = client.search(Resource="TrainingJob", SearchExpression={"Filters": list(filters)})
        return [one["TrainingJob"]["TrainingJobName"] for one in found["Results"]]

    marked = {"Name": "Tags.mark", "Operator": "Equals", "Value": mark}
    passing = [
        {"Name": "HyperParameters.k", "Operator": "Equals", "Value": "7"},
        {"Name": "Metrics.train:msd", "Operator": "GreaterThan", "Value": "1"},
        {"Name": "TrainingJobStatus", "Operator": "In", "Value": "Completed,Failed"},
        {"Name": "AlgorithmSpecification.TrainingImage", "Operator": "Contains", "Value": "kmea"},
        {"Name": "FailureReason", "Operator": "NotExists"},
    ]
    assert names(marked, *passing) == [job["TrainingJobName"]]
    assert names(marked, {"Name": "HyperParameters.k", "Operator": "LessThan", "Value": "7"}) == []


def test_models_and_endpoints_are_searched_too(server: Server) -> None:
    client, name = server.client("sagemaker"), name_of("searched")
    client.create_model(
        ModelName=name,
        ExecutionRoleArn=ROLE,
        PrimaryContainer={
            "Image": "382416733822.dkr.ecr.us-east-1.amazonaws.com/kmeans:1",
            "ModelDataUrl": "s3://data/nowhere/model.tar.gz",
        },
    )
    named = {"Name": "Model.ModelName", "Operator": "Equals", "Value": name}
    found = client.search(Resource="Model", SearchExpression={"Filters": [named]})["Results"]
    assert [one["Model"]["Model"]["ModelName"] for one in found] == [name]
    endpoint = {"Name": "EndpointName", "Operator": "Equals", "Value": name}
    assert not client.search(Resource="Endpoint", SearchExpression={"Filters": [endpoint]})[
        "Results"
    ]
    with pytest.raises(ClientError, match="Known: Endpoint, Model, TrainingJob"):
        client.search(Resource="Experiment")
