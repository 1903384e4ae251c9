"""Objects cut into records and these packed into requests: nothing lost, nothing too long."""

from __future__ import annotations

import io
import struct
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.codecs.record_frames import MAGIC, framed
from clary.errors import CallerError
from clary.jobs.transforming.records import (
    line_blocks,
    lines_of,
    packed,
    packs,
    recordio,
    tfrecords,
    whole,
)
from clary.jobs.transforming.request import Limits, Transform

MESSAGES = st.lists(st.binary(max_size=30), max_size=12)
BARE_LINES = st.lists(
    st.binary(min_size=1, max_size=20).filter(lambda it: not set(it) & set(b"\r\n"))
)


class Trickle(io.RawIOBase):
    """Gives a few bytes at a time, as a socket may."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._inner.read(min(size, 3))


def tf_framed(message: bytes) -> bytes:
    return struct.pack("<QI", len(message), 1) + message + struct.pack("<I", 2)


def transform(**members: Any) -> Transform:
    source = {name: members.pop(name) for name in ("SplitType", "ContentType") if name in members}
    return Transform.of({"TransformInput": source, "TransformOutput": {}, **members})


@given(BARE_LINES, st.integers(20, 60), st.booleans())
def test_blocks_of_lines_are_the_text(lines: list[bytes], most: int, last: bool) -> None:
    text = b"\n".join(lines) + b"\n" * (last and bool(lines))
    for stream in (io.BytesIO(text), Trickle(text)):
        blocks = list(line_blocks(stream, "x.csv", most))
        assert b"\n".join(blocks) == b"\n".join(lines)
        assert all(len(block) <= most for block in blocks)
        # None could have taken the next one's first line, too
        for one, following in pairwise(blocks):
            assert len(one) + 1 + len(following.split(b"\n")[0]) > most


def test_a_line_longer_than_a_request_fails_by_name() -> None:
    with pytest.raises(CallerError, match=r"x\.csv, a line: must fit into a request of 4 bytes"):
        list(line_blocks(io.BytesIO(b"1\n12345\n1"), "x.csv", 4))
    assert list(line_blocks(io.BytesIO(b"1\n1234\n1"), "x.csv", 4)) == [b"1", b"1234", b"1"]


def test_lines_have_no_ends_and_blank_ones_are_none() -> None:
    assert lines_of(b"1,2\r\n\n  \n3,4\r") == [b"1,2", b"3,4"]


def test_an_object_that_is_one_record_must_fit() -> None:
    assert whole(io.BytesIO(b"12345"), "x", 5) == b"12345"
    with pytest.raises(CallerError, match="5 bytes"):
        whole(io.BytesIO(b"123456"), "x", 5)


@given(MESSAGES)
def test_recordio_gives_frames_or_messages(messages: list[bytes]) -> None:
    # A message that holds the magic word would have been split by its writer
    frames = [framed(one) for one in messages]
    data = b"".join(frames)
    assert list(recordio(Trickle(data), "x", 99, framed=True)) == frames
    assert list(recordio(io.BytesIO(data), "x", 99, framed=False)) == messages


def test_a_record_in_parts_is_one() -> None:
    parts = [struct.pack("<II", MAGIC, flag << 29 | 4) + b"abcd" for flag in (1, 2, 3)]
    data = b"".join(parts) + framed(b"z")
    magic = MAGIC.to_bytes(4, "little")
    found = list(recordio(io.BytesIO(data), "x", 99, framed=False))
    assert found == [magic.join([b"abcd"] * 3), b"z"]
    assert next(recordio(io.BytesIO(data), "x", 99, framed=True)) == b"".join(parts)


@given(MESSAGES)
def test_tfrecords_give_frames_or_messages(messages: list[bytes]) -> None:
    frames = [tf_framed(one) for one in messages]
    data = b"".join(frames)
    assert list(tfrecords(Trickle(data), "x", 99, framed=True)) == frames
    assert list(tfrecords(io.BytesIO(data), "x", 99, framed=False)) == messages


@pytest.mark.parametrize("read", [recordio, tfrecords])
@pytest.mark.parametrize("cut", [1, 5, 14])
def test_files_cut_short_are_told(read: Any, cut: int) -> None:
    data = framed(b"abcdefgh") if read is recordio else tf_framed(b"abcdefgh")
    with pytest.raises(CallerError, match="x, record 1: must be whole"):
        list(read(io.BytesIO(data[:cut]), "x", 99, True))


@pytest.mark.parametrize("read", [recordio, tfrecords])
def test_a_record_too_long_is_not_read(read: Any) -> None:
    data = framed(bytes(200)) if read is recordio else tf_framed(bytes(200))
    with pytest.raises(CallerError, match="must fit into a request of 99 bytes"):
        list(read(io.BytesIO(data), "x", 99, True))


def test_other_bytes_are_no_recordio() -> None:
    with pytest.raises(CallerError, match="RecordIO"):
        list(recordio(io.BytesIO(b"1,2,3,4,5,6"), "x", 99, framed=True))


@given(st.lists(st.binary(max_size=9)), st.integers(1, 30))
def test_packs_hold_all_in_order_and_as_much_as_fits(records: list[bytes], most: int) -> None:
    found = list(packed(records, most))
    assert [one for pack in found for one in pack] == records
    assert all(len(pack) == 1 or len(b"".join(pack)) <= most for pack in found)
    for one, following in pairwise(found):
        assert len(b"".join(one)) + len(following[0]) > most


@pytest.mark.parametrize(
    ("members", "single", "expected"),
    [
        ({}, False, [[b"1\n\n2\n3\n"]]),
        ({"SplitType": "Line"}, False, [[b"1\n\n2\n3"]]),
        ({"SplitType": "Line"}, True, [[b"1"], [b"2"], [b"3"]]),
        (
            {
                "SplitType": "Line",
                "ContentType": "text/csv",
                "DataProcessing": {"InputFilter": "$[0]"},
            },
            False,
            [[b"1", b"2", b"3"]],
        ),
    ],
)
def test_lines_are_told_apart_only_where_they_must(
    members: dict[str, Any], single: bool, expected: list[list[bytes]]
) -> None:
    limits = Limits(100, 1, single)
    stream = io.BytesIO(b"1\n\n2\n3\n")
    assert list(packs(stream, "x", transform(**members), limits)) == expected


def test_single_records_of_recordio_protobuf_keep_their_frames() -> None:
    data = framed(b"abc")
    bare, kept = (
        list(
            packs(
                io.BytesIO(data), "x", transform(SplitType="RecordIO", **more), Limits(99, 1, True)
            )
        )
        for more in ({}, {"ContentType": "application/x-recordio-protobuf"})
    )
    assert (bare, kept) == ([[b"abc"]], [[data]])
