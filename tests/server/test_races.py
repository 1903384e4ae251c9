"""Clients that make the same thing at the same instant: exactly one of them does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.server.endpoints import Account, Archive, container, variant
from tests.servers import ROLE, Server

CLIENTS = 4


def at_once(server: Server, call: Callable[[Any], None]) -> list[str]:
    """Four clients call at the same instant: `made`, or the code of the refusal and its words."""
    told: list[str] = []
    begin = threading.Barrier(CLIENTS)

    def one() -> None:
        client = server.client("sagemaker")
        begin.wait()
        try:
            call(client)
            told.append("made")
        except ClientError as error:
            told.append("{Code}: {Message}".format(**error.response["Error"]))

    threads = [threading.Thread(target=one) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(told, key=lambda words: words != "made")


@pytest.fixture(scope="module")
def account(server: Server) -> Account:
    return Account(server, "races")


def test_one_of_four_models_is_made(server: Server, trees: Archive) -> None:
    name, given = f"race-{uuid4().hex[:8]}", container(trees)
    told = at_once(
        server,
        lambda client: client.create_model(
            ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=given
        ),
    )
    assert told[0] == "made"
    assert all("Cannot create already existing model" in words for words in told[1:])


def test_one_of_four_configurations_is_made(
    server: Server, account: Account, trees: Archive
) -> None:
    name, given = f"race-{uuid4().hex[:8]}", variant(account.model(container(trees)))
    told = at_once(
        server,
        lambda client: client.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[given]
        ),
    )
    assert told[0] == "made"
    words = "Cannot create already existing endpoint configuration"
    assert all(words in one for one in told[1:])


def test_one_of_four_endpoints_is_made_and_answers(
    server: Server, account: Account, trees: Archive
) -> None:
    name = account.name("endpoint")
    config = account.config(variant(account.model(container(trees))))
    told = at_once(
        server,
        lambda client: client.create_endpoint(EndpointName=name, EndpointConfigName=config),
    )
    assert told[0] == "made"
    assert all("Cannot create already existing endpoint" in words for words in told[1:])
    assert account.settled(name)["EndpointStatus"] == "InService"
    assert account.score(name, trees.csv()) == pytest.approx(trees.score(), rel=1e-6)


def test_of_four_deletions_of_an_endpoint_none_harms(
    server: Server, account: Account, trees: Archive
) -> None:
    name = account.deployed(trees)
    told = at_once(server, lambda client: client.delete_endpoint(EndpointName=name))
    assert told[0] == "made"
    known = ("made", "ValidationException: Could not find", "ValidationException: Cannot update")
    assert all(words.startswith(known) for words in told), told
    account.sagemaker.get_waiter("endpoint_deleted").wait(
        EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def test_one_of_four_transform_jobs_is_made_and_runs_once(
    server: Server, account: Account, trees: Archive
) -> None:
    name, model = f"race-{uuid4().hex[:8]}", account.model(container(trees))
    rows = server.bucket / name / "in" / "rows.csv"
    rows.parent.mkdir(parents=True)
    rows.write_bytes(trees.csv())
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://data/{name}/in"}
    told = at_once(
        server,
        lambda client: client.create_transform_job(
            TransformJobName=name,
            ModelName=model,
            TransformInput={"DataSource": {"S3DataSource": source}, "ContentType": "text/csv"},
            TransformOutput={"S3OutputPath": f"s3://data/{name}/out"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        ),
    )
    assert told[0] == "made"
    assert all(words.startswith("ResourceInUse: ") for words in told[1:]), told
    account.sagemaker.get_waiter("transform_job_completed_or_stopped").wait(
        TransformJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    answer = (server.bucket / name / "out" / "rows.csv.out").read_text()
    assert float(answer) == pytest.approx(trees.score(), rel=1e-5)
