"""What a transform is asked for, what the container says, and what goes when neither does."""

from __future__ import annotations

from typing import Any

import pytest

from clary.errors import CallerError
from clary.jobs.transforming.request import Limits, Transform, batch_environment

MIB = 1024 * 1024
SAID = {"MaxConcurrentTransforms": 4, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 2}


def transform(**members: Any) -> Transform:
    return Transform.of({"TransformInput": {}, "TransformOutput": {}, **members})


def test_the_request_comes_before_the_container_and_that_before_the_defaults() -> None:
    assert transform().limits({}) == Limits(6 * MIB, 1, single=False)
    assert transform().limits(SAID) == Limits(2 * MIB, 4, single=True)
    asked = {"MaxConcurrentTransforms": 3, "BatchStrategy": "MultiRecord", "MaxPayloadInMB": 5}
    assert transform(**asked).limits(SAID) == Limits(5 * MIB, 3, single=False)
    assert transform(MaxConcurrentTransforms=0).limits(SAID).concurrent == 4


def test_a_large_payload_leaves_room_for_fewer_requests() -> None:
    assert transform(MaxPayloadInMB=40).limits(SAID).concurrent == 2
    assert transform(MaxPayloadInMB=100).limits(SAID).concurrent == 1
    assert transform().limits({"MaxPayloadInMB": 1024}) == Limits(100 * MIB, 1, single=False)


@pytest.mark.parametrize(
    ("members", "part"),
    [
        ({"MaxPayloadInMB": 0}, "MaxPayloadInMB: must be at least 1"),
        ({"MaxPayloadInMB": 11, "MaxConcurrentTransforms": 10}, "at most 100 MB, got 110"),
    ],
)
def test_too_much_at_once_is_refused(members: dict[str, int], part: str) -> None:
    with pytest.raises(CallerError, match=part):
        transform(**members)
    assert transform(MaxPayloadInMB=10, MaxConcurrentTransforms=10)


def test_the_client_waits_and_tries_as_it_is_told() -> None:
    assert (transform().timeout_seconds, transform().retries) == (600, 3)
    told = {"InvocationsTimeoutInSeconds": 7, "InvocationsMaxRetries": 0}
    asked = transform(ModelClientConfig=told)
    assert (asked.timeout_seconds, asked.retries) == (7, 0)


def test_containers_are_told_only_what_the_request_says() -> None:
    assert batch_environment({}) == {"SAGEMAKER_BATCH": "true"}
    asked = {"MaxPayloadInMB": 5, "BatchStrategy": "SingleRecord", "MaxConcurrentTransforms": 2}
    assert batch_environment({**asked, "Environment": {"A": "b"}}) == {
        "A": "b",
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "5",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "2",
    }
