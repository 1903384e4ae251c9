"""Requests and answers of the three protocols, read back by botocore's own parsers."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from botocore.parsers import create_parser
from hypothesis import given
from hypothesis import strategies as st

from clary.aws.answers import Answer, json_refusal, query_refusal
from clary.aws.errors import Refusal, invalid
from clary.aws.requests import json_call, query_call
from clary.aws.services import operation

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def target(name: str, version: str = "1.1") -> dict[str, str]:
    return {"x-amz-target": name, "content-type": f"application/x-amz-json-{version}"}


def read(answer: Answer, protocol: str, service: str, name: str) -> dict[str, object]:
    model = operation(service, name)
    assert model
    response = {"status_code": answer.status, "headers": dict(answer.headers), "body": answer.body}
    parsed: dict[str, object] = create_parser(protocol).parse(response, model.output_shape)
    return parsed


def test_a_json_answer_is_read_by_botocore() -> None:
    call = json_call(target("SageMaker.DescribeTrainingJob"), b'{"TrainingJobName": "a"}')
    moment = datetime(2026, 11, 25, 12, 0, 0, 250_000, tzinfo=UTC)
    answer = call.answer({"TrainingJobName": "a", "CreationTime": moment, "FailureReason": None})
    told = read(answer, "json", "sagemaker", "DescribeTrainingJob")
    assert told["TrainingJobName"] == "a"
    assert told["CreationTime"] == moment
    assert "FailureReason" not in told
    assert answer.headers["x-amzn-RequestId"]


def test_old_and_new_cloudwatch_get_the_same_answer() -> None:
    body = {
        "Namespace": "/aws/sagemaker/TrainingJobs",
        "MetricName": "m",
        "StartTime": 0,
        "EndTime": 60,
        "Period": 60,
        "Statistics": ["Average"],
    }
    name = "GraniteServiceVersion20100801.GetMetricStatistics"
    new = json_call(target(name, "1.0"), json.dumps(body).encode())
    old = query_call(
        FORM,
        b"Action=GetMetricStatistics&Version=2010-08-01&Namespace=%2Faws%2Fsagemaker%2FTrainingJobs"
        b"&MetricName=m&StartTime=1970-01-01T00%3A00%3A00Z&EndTime=1970-01-01T00%3A01%3A00Z"
        b"&Period=60&Statistics.member.1=Average",
    )
    assert old.members == new.members
    points = {"Label": "m", "Datapoints": [{"Average": 1.5, "Unit": "None"}]}
    xml = read(old.answer(points), "query", "cloudwatch", "GetMetricStatistics")
    plain = read(new.answer(points), "json", "cloudwatch", "GetMetricStatistics")
    assert xml["Datapoints"] == plain["Datapoints"] == points["Datapoints"]
    assert new.answer({}).headers["Content-Type"] == "application/x-amz-json-1.0"


def test_refusals_are_read_by_botocore_in_every_protocol() -> None:
    refusal = invalid('Could not find model "<arn>" & others.')
    told = read(json_refusal(refusal), "json", "sagemaker", "DescribeModel")["Error"]
    assert told == {"Code": "ValidationException", "Message": refusal.message}
    told = read(query_refusal(refusal), "query", "sts", "GetCallerIdentity")["Error"]
    assert told["Code"] == "ValidationException"
    assert told["Message"] == refusal.message


@pytest.mark.parametrize(
    "name",
    ["SageMaker.Nothing", "Nobody.CreateTrainingJob", "", "SageMaker", "SageMaker.", "." * 99],
)
def test_an_unknown_operation_is_told_by_name(name: str) -> None:
    with pytest.raises(Refusal) as refusal:
        json_call(target(name), b"{}")
    assert refusal.value.code == "UnknownOperationException"


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        json_call(target("SageMaker.ListModels"), body)
    assert refusal.value.code == "SerializationException"


@given(st.binary(max_size=200))
def test_any_bytes_as_a_form_are_taken_or_refused(body: bytes) -> None:
    try:
        query_call(FORM, body)
    except Refusal as refusal:
        assert refusal.status < 500
