"""Frames of the event stream, read by botocore."""

from __future__ import annotations

import os

import pytest
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer

from clary.aws.event_stream import PART_BYTES, frame, payload_parts


@pytest.mark.parametrize(
    "size", [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES], ids=str
)
def test_parts_are_read_by_botocore_and_join_to_the_body(size: int) -> None:
    body = os.urandom(size)
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(payload_parts(body)))
    events = list(buffer)
    assert b"".join(event.payload for event in events) == body
    assert {event.headers[":event-type"] for event in events} == {"PayloadPart"}
    assert {event.headers[":message-type"] for event in events} == {"event"}


def test_an_empty_body_has_no_parts() -> None:
    assert list(payload_parts(b"")) == []


def test_a_frame_that_was_changed_is_noticed() -> None:
    sent = bytearray(frame({":event-type": "PayloadPart"}, b"payload"))
    sent[-6] ^= 1
    buffer = EventStreamBuffer()
    buffer.add_data(bytes(sent))
    with pytest.raises(ChecksumMismatch):
        next(buffer)
