"""Models, endpoint configurations and endpoints through boto3, with real models behind them."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from clary.storage.artifact import unpack
from tests.server.endpoints import (
    REGISTRY,
    Account,
    Archive,
    container,
    variant,
)
from tests.servers import ROLE, Server


@pytest.fixture
def account(server: Server) -> Iterator[Account]:
    one = Account(server, "endpoints")
    yield one
    one.clear()


def test_an_endpoint_answers_as_its_model_does(account: Account, trees: Archive) -> None:
    name = account.deployed(trees)
    answer = account.invoked(name, trees.csv(), CustomAttributes="trace=1")
    assert float(answer["Body"]) == pytest.approx(trees.score(), rel=1e-6)
    assert answer["ContentType"].startswith("text/csv")
    assert answer["InvokedProductionVariant"] == "AllTraffic"


def test_what_was_created_is_described_and_listed(account: Account, line: Archive) -> None:
    model = account.model(container(line))
    config = account.config(variant(model, InitialVariantWeight=2.0))
    name = account.endpoint(config)
    described = account.sagemaker.describe_model(ModelName=model)
    assert described["PrimaryContainer"] == container(line)
    assert described["ExecutionRoleArn"] == ROLE
    described = account.sagemaker.describe_endpoint_config(EndpointConfigName=config)
    assert described["ProductionVariants"] == [variant(model, InitialVariantWeight=2.0)]
    assert "DataCaptureConfig" not in described
    described = account.sagemaker.describe_endpoint(EndpointName=name)
    (summary,) = described["ProductionVariants"]
    assert summary["DeployedImages"][0]["SpecifiedImage"] == line.image
    del summary["DeployedImages"]
    assert summary == {
        "VariantName": "AllTraffic",
        "CurrentWeight": 2.0,
        "DesiredWeight": 2.0,
        "CurrentInstanceCount": 1,
        "DesiredInstanceCount": 1,
    }
    assert "DataCaptureConfig" not in described
    newest = account.sagemaker.list_endpoints(MaxResults=1)["Endpoints"][0]
    assert (newest["EndpointName"], newest["EndpointStatus"]) == (name, "InService")
    assert account.sagemaker.list_models(NameContains=model)["Models"][0]["ModelName"] == model
    listed = account.sagemaker.list_endpoint_configs(NameContains=config)["EndpointConfigs"]
    assert listed[0]["EndpointConfigName"] == config


def test_an_endpoint_outlives_its_configuration_its_model_and_the_archive(
    account: Account, server: Server, trees: Archive
) -> None:
    shutil.copy(server.bucket / "models" / "trees.tar.gz", server.bucket / "models" / "gone.tar.gz")
    model = account.model({"Image": trees.image, "ModelDataUrl": "s3://data/models/gone.tar.gz"})
    config = account.config(variant(model))
    name = account.endpoint(config)
    account.sagemaker.delete_endpoint_config(EndpointConfigName=config)
    account.sagemaker.delete_model(ModelName=model)
    (server.bucket / "models" / "gone.tar.gz").unlink()
    assert account.score(name, trees.csv()) == pytest.approx(trees.score(), rel=1e-6)
    account.sagemaker.delete_endpoint(EndpointName=name)
    waiter = account.sagemaker.get_waiter("endpoint_deleted")
    waiter.wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def test_a_model_may_be_a_prefix_of_files(
    account: Account, server: Server, line: Archive, tmp_path: Path
) -> None:
    unpack(server.bucket / "models" / "line.tar.gz", tmp_path / "line")
    shutil.copytree(tmp_path / "line", server.bucket / "loose" / "line")
    source = {
        "S3Uri": "s3://data/loose/line/",
        "S3DataType": "S3Prefix",
        "CompressionType": "None",
    }
    given = {"Image": line.image, "ModelDataSource": {"S3DataSource": source}}
    name = account.endpoint(account.config(variant(account.model(given))))
    score = account.score(name, line.csv())
    assert score == pytest.approx(line.score(), rel=1e-5)


def test_names_that_are_taken_or_missing_are_told_in_sagemakers_words(
    account: Account, line: Archive
) -> None:
    client = account.sagemaker
    model = account.model(container(line))
    config = account.config(variant(model))
    name = account.endpoint(config)
    arn = "arn:aws:sagemaker:us-east-1:123456789012"
    with pytest.raises(ClientError, match=f'Cannot create already existing model "{arn}:model/'):
        client.create_model(
            ModelName=model, ExecutionRoleArn=ROLE, PrimaryContainer=container(line)
        )
    with pytest.raises(ClientError, match="Cannot create already existing endpoint configuration"):
        client.create_endpoint_config(
            EndpointConfigName=config, ProductionVariants=[variant(model)]
        )
    with pytest.raises(ClientError, match=f'already existing endpoint "{arn}:endpoint/{name}"'):
        client.create_endpoint(EndpointName=name, EndpointConfigName=config)
    for call, members, what in (
        (client.describe_model, {"ModelName": "no"}, "model"),
        (client.delete_model, {"ModelName": "no"}, "model"),
        (client.describe_endpoint_config, {"EndpointConfigName": "no"}, "endpoint configuration"),
        (client.delete_endpoint_config, {"EndpointConfigName": "no"}, "endpoint configuration"),
        (client.describe_endpoint, {"EndpointName": "no"}, "endpoint"),
        (client.delete_endpoint, {"EndpointName": "no"}, "endpoint"),
        (client.update_endpoint, {"EndpointName": "no", "EndpointConfigName": config}, "endpoint"),
        (
            client.create_endpoint,
            {"EndpointName": "new", "EndpointConfigName": "no"},
            "endpoint configuration",
        ),
    ):
        with pytest.raises(ClientError, match=f'Could not find {what} "{arn}') as error:
            call(**members)
        assert error.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"Image": f"{REGISTRY}/nothing:1", "ModelDataUrl": "s3://data/x"}, "nothing"),
        ({"Image": f"{REGISTRY}/kmeans:1"}, "needs a ModelDataUrl"),
        (
            {"Image": f"{REGISTRY}/kmeans:1", "ModelDataUrl": "s3://data/", "Mode": "MultiModel"},
            "does not support multi-model mode",
        ),
        ({"ModelPackageName": "x"}, "ModelPackageName is not available here"),
    ],
    ids=["image", "no-data", "many-models", "package"],
)
def test_models_that_cannot_be_served_are_refused(
    account: Account, given: dict[str, str], told: str
) -> None:
    with pytest.raises(ClientError, match=told) as error:
        account.model(given)
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_one_name_goes_to_one_of_many(account: Account, line: Archive) -> None:
    config = account.config(variant(account.model(container(line))))
    name = account.name("race")

    def create(_: int) -> str:
        try:
            account.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        except ClientError as error:
            return str(error.response["Error"]["Message"])
        return "won"

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(create, range(8)))
    assert told.count("won") == 1
    assert sum("Cannot create already existing endpoint" in one for one in told) == 7
    assert account.settled(name)["EndpointStatus"] == "InService"


def archive_of(members: dict[str, bytes], link: str | None = None) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        if link:
            member = tarfile.TarInfo("xgboost-model")
            member.type, member.linkname = tarfile.SYMTYPE, link
            tar.addfile(member)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "Failed to download model data"),
        (b"no archive", "must be a whole tar.gz archive"),
        (archive_of({"../outside": b"x"}), "leaves its folder"),
        (archive_of({}, link="/etc/passwd"), "may hold files and folders only"),
        (archive_of({"xgboost-model": b"nonsense"}), "xgboost"),
    ],
    ids=["missing", "no-archive", "escaping", "link", "nonsense"],
)
def test_a_model_that_cannot_be_loaded_fails_the_endpoint(
    account: Account, server: Server, content: bytes | None, told: str
) -> None:
    name = account.name("bad")
    if content is not None:
        (server.bucket / f"{name}.tar.gz").write_bytes(content)
    given = {"Image": f"{REGISTRY}/xgboost:1", "ModelDataUrl": f"s3://data/{name}.tar.gz"}
    config = account.config(variant(account.model(given)))
    account.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    described = account.settled(name)
    assert described["EndpointStatus"] == "Failed"
    assert told in described["FailureReason"]
    with pytest.raises(ClientError, match="in status Failed"):
        account.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
    account.sagemaker.delete_endpoint(EndpointName=name)
    assert not any("outside" in names for _, _, names in os.walk(server.root))


def test_an_update_loses_no_request(account: Account, trees: Archive, line: Archive) -> None:
    old = account.config(variant(account.model(container(trees)), "old"))
    new = account.config(variant(account.model(container(line)), "new"))
    name = account.endpoint(old)
    over = False
    seen: list[str] = []

    def ask() -> None:
        while not over:
            seen.append(account.invoked(name, trees.csv())["InvokedProductionVariant"])

    with ThreadPoolExecutor(5) as pool:
        asked: list[Future[object]] = [pool.submit(ask) for _ in range(4)]
        update = account.sagemaker.update_endpoint
        asked.append(pool.submit(update, EndpointName=name, EndpointConfigName=new))
        deadline = time.monotonic() + 60
        while "new" not in seen and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.5)
        over = True
        for one in asked:
            one.result()
    described = account.settled(name)
    assert described["EndpointConfigName"] == new
    assert "PendingDeploymentSummary" not in described
    assert set(seen) == {"old", "new"}
    assert seen[-1] == "new"


def test_what_is_under_way_is_described_and_cannot_be_changed(
    account: Account, server: Server, trees: Archive
) -> None:
    name = account.deployed(trees)
    # A model that takes its time: the archive is a pipe that nobody writes to yet
    slow = server.bucket / "slow.tar.gz"
    os.mkfifo(slow)
    given = {"Image": trees.image, "ModelDataUrl": "s3://data/slow.tar.gz"}
    config = account.config(variant(account.model(given), "slow"))
    account.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
    described = account.sagemaker.describe_endpoint(EndpointName=name)
    assert described["EndpointStatus"] == "Updating"
    assert described["PendingDeploymentSummary"]["EndpointConfigName"] == config
    for change in (
        lambda: account.sagemaker.delete_endpoint(EndpointName=name),
        lambda: account.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config),
    ):
        with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
            change()
    assert account.score(name, trees.csv()) == pytest.approx(trees.score(), rel=1e-6)
    slow.write_bytes((server.bucket / "models" / "trees.tar.gz").read_bytes())
    assert account.settled(name)["ProductionVariants"][0]["VariantName"] == "slow"


def test_a_failed_update_leaves_the_old_fleet(
    account: Account, server: Server, trees: Archive
) -> None:
    name = account.deployed(trees)
    (server.bucket / "broken.tar.gz").write_bytes(b"nothing")
    broken = {"Image": trees.image, "ModelDataUrl": "s3://data/broken.tar.gz"}
    config = account.config(variant(account.model(broken)))
    before = account.sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    account.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
    described = account.settled(name)
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointConfigName"] == before
    assert "must be a whole tar.gz archive" in described["FailureReason"]
    assert account.score(name, trees.csv()) == pytest.approx(trees.score(), rel=1e-6)
    good = (server.bucket / "models" / "trees.tar.gz").read_bytes()
    (server.bucket / "broken.tar.gz").write_bytes(good)
    account.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
    described = account.settled(name)
    assert described["EndpointConfigName"] == config
    assert "FailureReason" not in described


def test_weights_and_capacities_change_in_place(account: Account, trees: Archive) -> None:
    model = account.model(container(trees))
    config = account.config(variant(model, "a"), variant(model, "b", InitialVariantWeight=0.0))
    name = account.endpoint(config)
    row = trees.csv()
    seen = {account.invoked(name, row)["InvokedProductionVariant"] for _ in range(10)}
    assert seen == {"a"}
    account.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=name,
        DesiredWeightsAndCapacities=[
            {"VariantName": "a", "DesiredWeight": 0.0},
            {"VariantName": "b", "DesiredWeight": 3.0, "DesiredInstanceCount": 2},
        ],
    )
    summaries = account.settled(name)["ProductionVariants"]
    assert [one["CurrentWeight"] for one in summaries] == [0.0, 3.0]
    assert [one["CurrentInstanceCount"] for one in summaries] == [1, 2]
    seen = {account.invoked(name, row)["InvokedProductionVariant"] for _ in range(10)}
    assert seen == {"b"}
    with pytest.raises(ClientError, match="not present in the endpoint"):
        account.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "c"}]
        )
    again = account.config(variant(model, "a"), variant(model, "b"))
    account.sagemaker.update_endpoint(
        EndpointName=name,
        EndpointConfigName=again,
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredInstanceCount"}],
    )
    summaries = account.settled(name)["ProductionVariants"]
    assert [one["CurrentWeight"] for one in summaries] == [0.0, 3.0]
    assert [one["CurrentInstanceCount"] for one in summaries] == [1, 1]
