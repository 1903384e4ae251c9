"""What clients leave to the server: patterns, maxima, enums, in AWS's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.aws.constraints import checked
from clary.aws.errors import Refusal
from clary.aws.services import operation
from tests.servers import training_request

MODEL = operation("sagemaker", "CreateTrainingJob")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def check(value: object) -> dict[str, object]:
    assert MODEL
    return checked(MODEL.input_shape, value)


def test_a_whole_request_passes_unchanged() -> None:
    request = training_request("job", "kmeans")
    assert check(request) == request


def test_members_that_the_model_does_not_know_are_left_out() -> None:
    request = training_request("job", "kmeans")
    assert check({**request, "FromTheFuture": {"x": 1}}) == request


def test_all_broken_rules_are_told_at_once() -> None:
    request = training_request("no name", "kmeans", RoleArn="x")
    with pytest.raises(Refusal) as refusal:
        check(request)
    assert refusal.value.code == "ValidationException"
    message = refusal.value.message
    assert "validation errors detected: " in message
    assert "Value 'no name' at 'trainingJobName' failed to satisfy constraint: " in message
    assert "Member must satisfy regular expression pattern: [a-zA-Z0-9]" in message
    assert "at 'roleArn' failed to satisfy constraint: Member must have length greater" in message


def test_a_missing_member_is_null_in_aws_words() -> None:
    request = training_request("job", "kmeans")
    del request["OutputDataConfig"]
    with pytest.raises(Refusal, match="Value 'null' at 'outputDataConfig'") as refusal:
        check(request)
    assert "Member must not be null" in refusal.value.message


@pytest.mark.parametrize(
    "instance_type", ["ml.m5.large", "ml.trn9.128xlarge", "ml.m5.metal-24xl", "local"]
)
def test_any_instance_type_is_taken(instance_type: str) -> None:
    resources = {"InstanceType": instance_type, "InstanceCount": 1, "VolumeSizeInGB": 1}
    assert check(training_request("job", "kmeans", ResourceConfig=resources))


def test_what_is_no_instance_type_is_refused() -> None:
    resources = {"InstanceType": "m5", "InstanceCount": 1, "VolumeSizeInGB": 1}
    with pytest.raises(Refusal, match="enum value set"):
        check(training_request("job", "kmeans", ResourceConfig=resources))


def test_tags_may_be_in_any_language() -> None:
    tags = [{"Key": "команда", "Value": "données 1"}]
    assert check(training_request("job", "kmeans", Tags=tags))
    with pytest.raises(Refusal, match=r"at 'tags\.1\.member\.key'"):
        check(training_request("job", "kmeans", Tags=[{"Key": "a;b", "Value": ""}]))


@given(JSON)
def test_whatever_comes_is_taken_or_refused(value: object) -> None:
    try:
        check(value)
    except Refusal as refusal:
        assert refusal.code in {"ValidationException", "SerializationException"}


@given(st.dictionaries(st.sampled_from(["TrainingJobName", "InputDataConfig", "Tags"]), JSON))
def test_wrong_types_in_known_members_are_refused(value: dict[str, object]) -> None:
    with pytest.raises(Refusal):
        check(value)
