"""Invocations through boto3: variants, pipelines, many models, later answers, streams, capture."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError

from clary.codecs.batch import Batch
from clary.storage.artifact import pack, unpack
from tests.server.endpoints import Account, Archive, container, messages, trained, variant
from tests.servers import Server, served, start

SECONDS = 30
MIB = 1 << 20


@pytest.fixture
def account(server: Server) -> Iterator[Account]:
    one = Account(server, "invocations")
    yield one
    one.clear()


@pytest.fixture(scope="module")
def kept(server: Server) -> Iterator[Account]:
    """Whose endpoints serve several tests."""
    one = Account(server, "kept")
    yield one
    one.clear()


@pytest.fixture(scope="module")
def both(kept: Account, trees: Archive, line: Archive) -> str:
    """An endpoint of two variants, of which one has three times the other's weight."""
    config = kept.config(
        variant(kept.model(container(trees)), "trees", InitialVariantWeight=3.0),
        variant(kept.model(container(line)), "line", InitialVariantWeight=1.0),
    )
    return kept.endpoint(config)


def awaited(path: Path) -> bytes:
    deadline = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.02)
    return path.read_bytes()


def test_traffic_is_shared_by_weight(account: Account, both: str, trees: Archive) -> None:
    row, count = trees.csv(), 200
    seen = Counter(account.invoked(both, row)["InvokedProductionVariant"] for _ in range(count))
    # Five standard deviations of a binomial count
    assert abs(seen["trees"] - 0.75 * count) < 5 * np.sqrt(count * 0.75 * 0.25)
    assert set(seen) == {"trees", "line"}


def test_a_variant_may_be_named(account: Account, both: str, line: Archive) -> None:
    answer = account.invoked(both, line.csv(), TargetVariant="line")
    assert answer["InvokedProductionVariant"] == "line"
    score = account.score(both, line.csv(), TargetVariant="line")
    assert score == pytest.approx(line.score(), rel=1e-5)


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"TargetVariant": "none"}, "Variant none not found"),
        ({"TargetModel": "a.tar.gz"}, "is not a multi-model endpoint"),
        ({"TargetContainerHostname": "a"}, "direct invocation"),
        ({"SessionId": "NEW_SESSION"}, "session-id is not available here"),
    ],
    ids=["variant", "model", "container", "session"],
)
def test_wrong_targets_are_validation_errors(
    account: Account, both: str, members: dict[str, str], told: str
) -> None:
    with pytest.raises(account.runtime.exceptions.ValidationError, match=told) as error:
        account.invoked(both, b"1", **members)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_an_unknown_endpoint_is_a_validation_error(account: Account) -> None:
    told = "Endpoint nowhere of account 123456789012 not found"
    with pytest.raises(account.runtime.exceptions.ValidationError, match=told):
        account.invoked("nowhere", b"1")


def test_a_container_that_refuses_is_a_model_error(account: Account, both: str) -> None:
    with pytest.raises(account.runtime.exceptions.ModelError) as error:
        account.invoked(both, b"1", ContentType="image/png", TargetVariant="trees")
    told = error.value.response
    assert told["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert told["OriginalStatusCode"] == 415
    assert told["OriginalMessage"].startswith("Content-Type: must be one of")
    beginning = 'Received client error (415) from primary with message "Content-Type: must be'
    assert told["Error"]["Message"].startswith(beginning)
    group = f"/aws/sagemaker/Endpoints/{both}"
    assert f"{group} in account 123456789012 for more information." in told["Error"]["Message"]
    assert told["LogStreamArn"].endswith(group)


def test_a_payload_that_is_too_long_is_refused(account: Account, both: str) -> None:
    with pytest.raises(ClientError, match="Payload is larger than 6291456 bytes"):
        account.invoked(both, b"1" * 6291457)


def test_requests_are_in_the_log(account: Account, server: Server, both: str) -> None:
    account.invoked(both, b"1" + b",1" * 29, TargetVariant="trees")
    group = f"/aws/sagemaker/Endpoints/{both}"
    deadline = time.monotonic() + SECONDS
    while not any("POST /invocations 200" in line for line in messages(server, group)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    streams = server.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    variants = {stream["logStreamName"].partition("/")[0] for stream in streams}
    assert variants == {"trees", "line"}


@pytest.fixture(scope="module")
def narrow(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """A model of one column."""
    return trained(
        server,
        "xgboost",
        "narrow",
        tmp_path_factory.mktemp("narrow"),
        columns=1,
        objective="reg:squarederror",
        num_round="3",
    )


def test_what_one_container_answers_goes_to_the_next(
    account: Account, server: Server, trees: Archive, narrow: Archive
) -> None:
    first = container(trees, Environment={"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"})
    name = account.endpoint(account.config(variant(account.model(first, container(narrow)))))
    score = Batch(np.float32([[trees.score()]]))
    expected = narrow.model.predict(score)["score"][0]
    assert account.score(name, trees.csv()) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(account.runtime.exceptions.ModelError, match=r"\(400\) from container-1"):
        account.invoked(name, b"x,y\n")
    logs = server.client("logs")
    group = f"/aws/sagemaker/Endpoints/{name}"
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    ends = [stream["logStreamName"].rpartition("/")[2] for stream in streams]
    assert sorted(ends) == ["container-1", "container-2"]


def test_a_container_that_cannot_read_the_one_before_is_named(
    account: Account, trees: Archive
) -> None:
    model = account.model(container(trees), container(trees))
    name = account.endpoint(account.config(variant(model)))
    with pytest.raises(account.runtime.exceptions.ModelError, match="from container-2"):
        account.invoked(name, trees.csv())


def test_containers_may_be_asked_directly(account: Account, trees: Archive, line: Archive) -> None:
    model = account.model(
        container(trees, ContainerHostname="trees"),
        container(line, ContainerHostname="line"),
        InferenceExecutionConfig={"Mode": "Direct"},
    )
    name = account.endpoint(account.config(variant(model)))
    for archive, hostname in ((trees, "trees"), (line, "line")):
        score = account.score(name, archive.csv(), TargetContainerHostname=hostname)
        assert score == pytest.approx(archive.score(), rel=1e-5)
    with pytest.raises(ClientError, match="must be one of trees, line, got None"):
        account.invoked(name, trees.csv())


def test_one_endpoint_serves_many_models(
    account: Account, server: Server, trees: Archive, line: Archive
) -> None:
    many = server.bucket / "many"
    (many / "deep").mkdir(parents=True)
    archive = (server.bucket / "models" / "trees.tar.gz").read_bytes()
    (many / "deep" / "first.tar.gz").write_bytes(archive)
    given = {"Image": trees.image, "ModelDataUrl": "s3://data/many/", "Mode": "MultiModel"}
    name = account.endpoint(account.config(variant(account.model(given))))
    expected = pytest.approx(trees.score(), rel=1e-6)
    assert account.score(name, trees.csv(), TargetModel="deep/first.tar.gz") == expected
    with pytest.raises(account.runtime.exceptions.ValidationError, match="Failed to download"):
        account.invoked(name, trees.csv(), TargetModel="later.tar.gz")
    (many / "later.tar.gz").write_bytes(archive)
    assert account.score(name, trees.csv(), TargetModel="later.tar.gz") == expected
    with pytest.raises(ClientError, match="it needs a TargetModel"):
        account.invoked(name, trees.csv())
    with pytest.raises(ClientError, match="Failed to download"):
        account.invoked(name, trees.csv(), TargetModel="../models/trees.tar.gz")
    (many / "other.tar.gz").write_bytes((server.bucket / "models" / "line.tar.gz").read_bytes())
    with pytest.raises(account.runtime.exceptions.ModelError, match="must be a model of xgboost"):
        account.invoked(name, trees.csv(), TargetModel="other.tar.gz")


def test_models_make_room_for_others(server: Server, line: Archive, tmp_path: Path) -> None:
    unpack(server.bucket / "models" / "line.tar.gz", tmp_path / "padded")
    (tmp_path / "padded" / "notes").write_bytes(os.urandom(6 * MIB))
    pack(tmp_path / "padded", tmp_path / "padded.tar.gz")
    archive = (tmp_path / "padded.tar.gz").read_bytes()
    # Each model is counted with at least the size of its archive: three do not fit
    most = str(18 * MIB)
    with served(tmp_path / "root", CLARY_MODEL_MEMORY_BYTES=most) as own:
        account = Account(own, "room")
        (own.bucket / "many").mkdir()
        names = [f"m{number}.tar.gz" for number in range(4)]
        for name in names:
            (own.bucket / "many" / name).write_bytes(archive)
        given = {"Image": line.image, "ModelDataUrl": "s3://data/many/", "Mode": "MultiModel"}
        endpoint = account.endpoint(account.config(variant(account.model(given))))
        for name in [*names, *names]:
            score = account.score(endpoint, line.csv(), TargetModel=name)
            assert score == pytest.approx(line.score(), rel=1e-5)
        lines = messages(own, f"/aws/sagemaker/Endpoints/{endpoint}")
    assert any("POST /models 507" in line for line in lines)
    assert any("DELETE /models/" in line for line in lines)


@pytest.fixture(scope="module")
def later(kept: Account, trees: Archive) -> str:
    """An endpoint that answers into the store."""
    outputs = {"S3OutputPath": "s3://data/later", "S3FailurePath": "s3://data/failures"}
    config = kept.config(
        variant(kept.model(container(trees))), AsyncInferenceConfig={"OutputConfig": outputs}
    )
    return kept.endpoint(config)


def test_an_answer_may_come_later(
    account: Account, server: Server, later: str, trees: Archive
) -> None:
    (server.bucket / "asked.csv").write_bytes(trees.csv())
    told = account.runtime.invoke_endpoint_async(
        EndpointName=later,
        InputLocation="s3://data/asked.csv",
        ContentType="text/csv",
        Accept="text/csv",
        InferenceId="seven",
    )
    assert told["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert told["InferenceId"] == "seven"
    place = server.bucket / told["OutputLocation"].removeprefix("s3://data/")
    assert place.parent == server.bucket / "later"
    assert float(awaited(place)) == pytest.approx(trees.score(), rel=1e-6)


def test_what_fails_later_is_told_in_the_store(
    account: Account, server: Server, later: str
) -> None:
    told = account.runtime.invoke_endpoint_async(
        EndpointName=later, InputLocation="s3://data/not/there.csv", ContentType="text/csv"
    )
    place = server.bucket / told["FailureLocation"].removeprefix("s3://data/")
    assert b"not/there.csv" in awaited(place)
    (server.bucket / "wrong.csv").write_bytes(b"a,b\n")
    told = account.runtime.invoke_endpoint_async(
        EndpointName=later, InputLocation="s3://data/wrong.csv", ContentType="text/csv"
    )
    place = server.bucket / told["FailureLocation"].removeprefix("s3://data/")
    assert b"Received client error (400) from primary" in awaited(place)


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({}, "exactly one of Body and InputLocation"),
        ({"InputLocation": "https://x/y"}, "must be of the form s3://"),
        ({"InputLocation": "s3://data/../../x"}, "must be a relative path"),
        ({"InputLocation": "s3://data/x", "RequestTTLSeconds": 61, "Filename": "../x"}, "relative"),
    ],
    ids=["nothing", "scheme", "climbing", "climbing-name"],
)
def test_wrong_later_invocations_are_refused(
    account: Account, server: Server, later: str, members: dict[str, Any], told: str
) -> None:
    with pytest.raises(account.runtime.exceptions.ValidationError, match=told):
        account.runtime.invoke_endpoint_async(EndpointName=later, **members)


def test_an_asynchronous_endpoint_takes_nothing_else(
    account: Account, both: str, later: str
) -> None:
    with pytest.raises(ClientError, match="takes asynchronous invocations only"):
        account.invoked(later, b"1")
    with pytest.raises(ClientError, match="has no AsyncInferenceConfig"):
        account.runtime.invoke_endpoint_async(EndpointName=both, InputLocation="s3://data/x")


def test_invocations_that_wait_survive_a_kill(
    server: Server, trees: Archive, tmp_path: Path
) -> None:
    root, count = tmp_path / "root", 12
    with served(root) as first:
        archive = (server.bucket / "models" / "trees.tar.gz").read_bytes()
        (first.bucket / "trees.tar.gz").write_bytes(archive)
        (first.bucket / "row.csv").write_bytes(trees.csv())
        account = Account(first, "wait")
        given = {"Image": trees.image, "ModelDataUrl": "s3://data/trees.tar.gz"}
        outputs = {"OutputConfig": {"S3OutputPath": "s3://data/out"}}
        config = account.config(variant(account.model(given)), AsyncInferenceConfig=outputs)
        name = account.endpoint(config)
        places = []
        for _ in range(count):
            told = account.runtime.invoke_endpoint_async(
                EndpointName=name, InputLocation="s3://data/row.csv", ContentType="text/csv"
            )
            places.append(first.bucket / told["OutputLocation"].removeprefix("s3://data/"))
        first.process.kill()
        first.process.wait()
    second = start(root)
    try:
        for place in places:
            assert float(awaited(place)) == pytest.approx(trees.score(), rel=1e-6)
        assert sorted(path.name for path in (root / "s3" / "data" / "out").iterdir()) == sorted(
            place.name for place in places
        )
    finally:
        second.end()


def test_an_answer_may_be_a_stream(account: Account, both: str, trees: Archive) -> None:
    body = trees.csv() * 20_000
    answer = account.runtime.invoke_endpoint_with_response_stream(
        EndpointName=both,
        Body=body,
        ContentType="text/csv",
        Accept="text/csv",
        TargetVariant="trees",
    )
    assert answer["ContentType"].startswith("text/csv")
    assert answer["InvokedProductionVariant"] == "trees"
    parts = [event["PayloadPart"]["Bytes"] for event in answer["Body"]]
    assert len(parts) > 1
    whole = account.invoked(both, body, Accept="text/csv", TargetVariant="trees")["Body"]
    assert b"".join(parts).decode() == whole


def captured(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("*.jsonl")):
        for text in path.read_text().splitlines():
            yield json.loads(text)


def test_invocations_are_captured(account: Account, server: Server, trees: Archive) -> None:
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://data/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    config = account.config(variant(account.model(container(trees))), DataCaptureConfig=capture)
    name = account.endpoint(config)
    described = account.sagemaker.describe_endpoint(EndpointName=name)["DataCaptureConfig"]
    assert described["CaptureStatus"] == "Started"
    answer = account.invoked(name, trees.csv(), InferenceId="nine", Accept="text/csv")
    folder = server.bucket / "captured" / name / "AllTraffic"
    deadline = time.monotonic() + SECONDS
    while not (lines := list(captured(folder))):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (line,) = lines
    assert line["captureData"]["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": trees.csv().decode(),
        "encoding": "CSV",
    }
    assert line["captureData"]["endpointOutput"]["data"] == answer["Body"]
    assert line["eventMetadata"]["inferenceId"] == "nine"
