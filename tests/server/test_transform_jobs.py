"""Transform jobs through boto3: outputs equal to predictions, and faults."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.server.endpoints import Account, Archive, container, trained
from tests.server.transforms import (
    LOG_GROUP,
    ended,
    outputs,
    predicted,
    refused,
    request,
    source,
    text,
    transformed,
    uri,
)
from tests.servers import Server


@pytest.fixture(scope="module")
def account(server: Server) -> Account:
    return Account(server, "transforms")


@pytest.fixture(scope="module")
def model(account: Account, trees: Archive) -> str:
    return account.model(container(trees))


@pytest.fixture
def folder(server: Server) -> Path:
    """A folder of the bucket for this test's objects."""
    path = server.bucket / f"transform-{uuid4().hex[:8]}"
    (path / "in").mkdir(parents=True)
    return path


def test_outputs_are_what_predict_answers(
    account: Account, model: str, folder: Path, trees: Archive
) -> None:
    first, second = text(trees.rows[:300]), text(trees.rows[300:])
    (folder / "in" / "sub").mkdir()
    (folder / "in" / "a.csv").write_bytes(first)
    (folder / "in" / "sub" / "b.csv").write_bytes(second)
    job = transformed(account, request(model, folder))
    assert job["TransformJobStatus"] == "Completed", job
    assert outputs(folder) == {
        "a.csv.out": predicted(trees, first),
        "sub/b.csv.out": predicted(trees, second),
    }
    assert job["CreationTime"] <= job["TransformStartTime"] <= job["TransformEndTime"]
    assert "FailureReason" not in job


def test_what_was_asked_is_described_and_listed(
    account: Account, model: str, folder: Path, trees: Archive
) -> None:
    (folder / "in" / "a.csv").write_bytes(text(trees.rows[:3]))
    asked = request(
        model,
        folder,
        MaxConcurrentTransforms=2,
        MaxPayloadInMB=5,
        BatchStrategy="SingleRecord",
        Environment={"WHO": "me"},
        ModelClientConfig={"InvocationsTimeoutInSeconds": 60, "InvocationsMaxRetries": 1},
        Tags=[{"Key": "team", "Value": "a"}],
    )
    job = transformed(account, asked)
    tags = asked.pop("Tags")
    assert {name: job[name] for name in asked} == asked
    arn = job["TransformJobArn"]
    assert arn.endswith(f":transform-job/{asked['TransformJobName']}")
    assert account.sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags
    newest = account.sagemaker.list_transform_jobs(MaxResults=1)["TransformJobSummaries"][0]
    assert newest["TransformJobName"] == asked["TransformJobName"]
    assert newest["TransformJobStatus"] == "Completed"


@pytest.mark.parametrize(
    ("split", "strategy", "assemble", "expected"),
    [
        ("None", "MultiRecord", "None", "whole"),
        ("None", "MultiRecord", "Line", "lines"),
        ("Line", "SingleRecord", "Line", "lines"),
        ("Line", "SingleRecord", "None", "joined"),
        ("Line", "MultiRecord", "Line", "lines"),
    ],
)
def test_records_are_sent_and_answers_put_together_as_asked(
    account: Account,
    folder: Path,
    line: Archive,
    split: str,
    strategy: str,
    assemble: str,
    expected: str,
) -> None:
    body = text(line.rows[:20])
    (folder / "in" / "a.csv").write_bytes(body)
    asked = request(
        account.model(container(line)),
        folder,
        BatchStrategy=strategy,
        TransformInput=source(folder, SplitType=split),
    )
    asked["TransformOutput"].update(AssembleWith=assemble, Accept="application/jsonlines")
    assert transformed(account, asked)["TransformJobStatus"] == "Completed"
    whole = predicted(line, body, "application/jsonlines")
    forms = {"whole": whole, "lines": whole + b"\n", "joined": whole.replace(b"\n", b"")}
    assert outputs(folder) == {"a.csv.out": forms[expected]}


def test_an_id_is_joined_to_its_answer(
    account: Account, model: str, folder: Path, trees: Archive
) -> None:
    rows = trees.rows[:50]
    ids = [f"patient-{number}" for number in range(50)]
    lines = text(rows).decode().splitlines()
    records = [f"{name},{line}\n" for name, line in zip(ids, lines, strict=True)]
    (folder / "in" / "a.csv").write_text("".join(records))
    asked = request(
        model,
        folder,
        DataProcessing={
            "JoinSource": "Input",
            "InputFilter": "$[1:]",
            "OutputFilter": "$[0,-1]",
        },
    )
    asked["TransformOutput"]["AssembleWith"] = "Line"
    assert transformed(account, asked)["TransformJobStatus"] == "Completed"
    scores = predicted(trees, text(rows)).decode().splitlines()
    assert outputs(folder)["a.csv.out"].decode().splitlines() == [
        f"{name},{score}" for name, score in zip(ids, scores, strict=True)
    ]


def test_a_bad_object_has_no_output_and_spoils_no_other(
    account: Account, server: Server, model: str, folder: Path, trees: Archive
) -> None:
    good = text(trees.rows[:30])
    for name in ("a.csv", "c.csv"):
        (folder / "in" / name).write_bytes(good)
    (folder / "in" / "b.csv").write_bytes(good + b"1,2,oops\n" + good)
    job = transformed(account, request(model, folder, BatchStrategy="SingleRecord"))
    assert job["TransformJobStatus"] == "Failed"
    assert "1 of 3 objects have no output; it is b.csv:" in job["FailureReason"]
    assert job["FailureReason"].endswith("The outputs of 2 objects were written.")
    assert set(outputs(folder)) == {"a.csv.out", "c.csv.out"}
    logs = server.client("logs")
    (stream,) = [
        one["logStreamName"]
        for one in logs.describe_log_streams(
            logGroupName=LOG_GROUP, logStreamNamePrefix=f"{job['TransformJobName']}/"
        )["logStreams"]
        if one["logStreamName"].endswith("/data-log")
    ]
    events = logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream)["events"]
    told = [one["message"] for one in events]
    assert "MaxPayloadInMB=6, BatchStrategy=SINGLE_RECORD" in told[0]
    assert f"data/{folder.name}/in/b.csv: " in told[1]


def test_instances_share_the_objects(
    account: Account, model: str, folder: Path, trees: Archive
) -> None:
    bodies = {f"{number}.csv": text(trees.rows[number : number + 9]) for number in range(7)}
    for name, body in bodies.items():
        (folder / "in" / name).write_bytes(body)
    asked = request(model, folder)
    asked["TransformResources"]["InstanceCount"] = 3
    assert transformed(account, asked)["TransformJobStatus"] == "Completed"
    expected = {f"{name}.out": predicted(trees, body) for name, body in bodies.items()}
    assert outputs(folder) == expected


def test_a_manifest_and_gzip_are_read(
    account: Account, model: str, folder: Path, trees: Archive
) -> None:
    body = text(trees.rows[:9])
    for name in ("a.csv.gz", "b.csv.gz", "c.csv.gz"):
        (folder / "in" / name).write_bytes(gzip.compress(body))
    manifest = [{"prefix": f"{uri(folder)}/in/"}, "a.csv.gz", "c.csv.gz"]
    (folder / "some.manifest").write_text(json.dumps(manifest))
    read = source(folder, CompressionType="Gzip")
    read["DataSource"]["S3DataSource"] = {
        "S3DataType": "ManifestFile",
        "S3Uri": f"{uri(folder)}/some.manifest",
    }
    asked = request(model, folder, TransformInput=read)
    assert transformed(account, asked)["TransformJobStatus"] == "Completed"
    assert set(outputs(folder)) == {"a.csv.gz.out", "c.csv.gz.out"}
    assert outputs(folder)["a.csv.gz.out"] == predicted(trees, body)


def test_the_containers_of_a_pipeline_answer_one_after_the_other(
    account: Account, server: Server, folder: Path, trees: Archive, tmp_path: Path
) -> None:
    second = trained(
        server,
        "linear-learner",
        "second",
        tmp_path,
        columns=1,
        predictor_type="regressor",
        epochs="1",
        num_models="1",
    )
    rows = trees.rows[:30]
    (folder / "in" / "a.csv").write_bytes(text(rows))
    (folder / "in" / "bad.csv").write_bytes(b"x,y\n")
    scores = predicted(trees, text(rows))
    asked = request(account.model(container(trees), container(second)), folder)
    asked["TransformOutput"]["Accept"] = "application/jsonlines"
    job = transformed(account, asked)
    assert job["TransformJobStatus"] == "Failed"
    assert "1 of 2 objects have no output; it is bad.csv: container-1: " in job["FailureReason"]
    assert outputs(folder) == {"a.csv.out": predicted(second, scores, "application/jsonlines")}


def test_the_model_of_the_moment_of_creation_counts(
    account: Account, folder: Path, trees: Archive
) -> None:
    model = account.model(container(trees))
    (folder / "in" / "a.csv").write_bytes(text(trees.rows[:3]))
    asked = request(model, folder)
    account.sagemaker.create_transform_job(**asked)
    account.sagemaker.delete_model(ModelName=model)
    assert ended(account, asked["TransformJobName"])["TransformJobStatus"] == "Completed"


def test_a_model_that_is_not_there_fails_the_job(
    account: Account, folder: Path, trees: Archive
) -> None:
    model = account.model({"Image": trees.image, "ModelDataUrl": "s3://data/models/none.tar.gz"})
    (folder / "in" / "a.csv").write_bytes(text(trees.rows[:3]))
    job = transformed(account, request(model, folder))
    assert job["TransformJobStatus"] == "Failed"
    assert "none.tar.gz" in job["FailureReason"]


def test_requests_that_cannot_be_met_are_refused(
    account: Account, model: str, folder: Path, trees: Archive
) -> None:
    (folder / "in" / "a.csv").write_bytes(text(trees.rows[:3]))
    asked = request(model, folder)
    code, message = refused(account, {**asked, "ModelName": "nobody"})
    assert (code, message[:22]) == ("ValidationException", 'Could not find model "')
    for changed, part in (
        ({"MaxPayloadInMB": 0}, "MaxPayloadInMB"),
        ({"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2}, "at most 100 MB"),
        ({"DataProcessing": {"InputFilter": "$..a"}}, "InputFilter"),
        ({"DataProcessing": {"JoinSource": "Input"}}, "AssembleWith"),
        ({"DataCaptureConfig": {"DestinationS3Uri": "s3://data/x"}}, "DataCaptureConfig"),
    ):
        code, message = refused(account, {**asked, **changed})
        assert code == "ValidationException"
        assert part in message
    empty = source(folder.with_name("nothing-there"))
    code, message = refused(account, {**asked, "TransformInput": empty})
    assert (code, "No S3 objects found" in message) == ("ValidationException", True)
    account.sagemaker.create_transform_job(**asked)
    code, message = refused(account, asked)
    assert (code, asked["TransformJobName"] in message) == ("ResourceInUse", True)
    ended(account, asked["TransformJobName"])


def test_unknown_and_ended_jobs_are_told(
    account: Account, model: str, folder: Path, trees: Archive
) -> None:
    for call in (account.sagemaker.describe_transform_job, account.sagemaker.stop_transform_job):
        with pytest.raises(ClientError, match="Could not find requested job with name: nobody"):
            call(TransformJobName="nobody")
    (folder / "in" / "a.csv").write_bytes(text(trees.rows[:3]))
    job = transformed(account, request(model, folder))
    with pytest.raises(ClientError, match="in status Completed"):
        account.sagemaker.stop_transform_job(TransformJobName=job["TransformJobName"])
