from __future__ import annotations

import io
import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.codecs import record_frames, recordio
from clary.codecs.batch import Batch, concatenate
from clary.codecs.reading import Reading
from clary.errors import CallerError
from tests.codecs.record_schema import Record, Unlabelled, framed
from tests.codecs.records import (
    LABELLED,
    UNLABELLED,
    decoded,
    encoded,
    iris,
    record,
    sparse_rows,
    stream_of,
)

MAGIC = b"\x0a\x23\xd7\xce"
# A window of 2 MiB, a batch of 4, and what is made of them on the way
MODEST_BYTES = 32 << 20


def fault_of(data: bytes | list[Any], reading: Reading = LABELLED) -> str:
    stream = stream_of(data) if isinstance(data, list) else io.BytesIO(data)
    with pytest.raises(CallerError) as caught:
        list(recordio.decode(stream, "train.rec", reading))
    return str(caught.value)


def with_value(**named: Callable[[Any], object]) -> Any:
    message = Record()
    for name, fill in named.items():
        fill(message.features[name])
    return message


@pytest.mark.parametrize(
    ("second", "fault"),
    [
        (record([1, 2, 3]), "must have 2 features as the first row has, got 3"),
        (record([np.nan, 2]), "feature 0: must be a finite float32 number, got nan. Missing"),
        (record([1, np.inf]), "feature 1: must be a finite float32 number, got inf"),
        (record([1], [0], [3]), "must have 2 features as the first row has, got 3"),
        (record([1], [2], [2]), "key: must be below 2, the shape, got 2"),
        (
            record([1], [2**64 - 1], [2]),
            "key: must be below 2, the shape, got 18446744073709551615",
        ),
        (record([1, 2], [1, 1], [2]), "key: must come once in a row, got 1"),
        (record([1], [1]), "must have a shape, as it has keys, got 'none'"),
        (record([1, 2], [1], [2]), "must have as many values as keys, 1, got 2"),
        (record([], [1], [2]), "must have as many values as keys, 1, got 0"),
        (record([1], [], [2]), "must have as many values as its shape says, 2, got 1"),
        (record([np.nan], [1], [2]), "feature 1: must be a finite float32 number, got nan"),
        (record([], [], []), "must have 2 features as the first row has, got 0"),
        (Record(), "features: must hold numbers under the name 'values', got 'nothing'"),
        (
            with_value(age=lambda value: value.float32_tensor.values.append(1)),
            "features: must hold numbers under the name 'values', got 'age'",
        ),
        (
            with_value(values=lambda value: value.bytes.value.append(b"jpeg")),
            "features: must be a tensor of numbers, got 'bytes'",
        ),
        (
            with_value(values=lambda value: value.SetInParent()),
            "features: must be a tensor of numbers, got 'nothing'",
        ),
    ],
)
@pytest.mark.parametrize("before", [1, 700])
def test_a_bad_row_is_named(second: Any, fault: str, before: int) -> None:
    good = record([1, 2])
    text = fault_of([good] * before + [second, good], UNLABELLED)
    start = before * len(framed(good.SerializeToString()))
    assert text.startswith(f"train.rec, record {before + 1} at byte {start}"), text
    assert fault in text


@pytest.mark.parametrize(
    ("second", "fault"),
    [
        (record([1, 2]), ": must have 1 label as the first row has, got 0"),
        (record([1, 2], label=[1, 2]), ": must have 1 label as the first row has, got 2"),
        (record([1, 2], label=[np.nan]), ", label: must be a finite float32 number, got nan"),
        (record([1, 2], label=[np.inf]), ", label: must be a finite float32 number, got inf"),
    ],
)
@pytest.mark.parametrize("before", [1, 700])
def test_a_bad_label_is_named(second: Any, fault: str, before: int) -> None:
    good = record([1, 2], label=[1])
    text = fault_of([good] * before + [second])
    start = before * len(framed(good.SerializeToString()))
    assert text.startswith(f"train.rec, record {before + 1} at byte {start}{fault}"), text


def test_labels_are_dense_and_named_values() -> None:
    sparse = record([1, 2], label=[1])
    sparse.label["values"].float32_tensor.keys.append(0)
    assert "label: must be dense" in fault_of([record([1, 2], label=[1]), sparse])
    other = record([1, 2])
    other.label["score"].float32_tensor.values.append(1)
    assert "label: must hold numbers under the name 'values', got 'score'" in fault_of([other])


def test_missing_values_are_numbers_that_infinity_is_not() -> None:
    reading = Reading(label_size=0, missing=True)
    assert np.isnan(decoded([record([np.nan, 1])] * 500, reading).dense()[:, 0]).all()
    assert "feature 1" in fault_of([record([np.nan, 1])] * 500 + [record([0, np.inf])], reading)
    assert "feature 1" in fault_of([record([np.nan, np.inf], [0, 1], [2])], reading)


def test_rows_must_have_the_width_that_was_asked_for() -> None:
    text = fault_of([record([1, 2])], Reading(label_size=0, width=3))
    assert text == "train.rec, record 1 at byte 0: must have 3 features, got 2"


def test_first_rows_without_features_are_refused() -> None:
    assert "must have at least one feature, got 0" in fault_of([record()], UNLABELLED)
    assert "can have at most 2,147,483,647 features" in fault_of(
        [record([1], [1], [2**31])], UNLABELLED
    )
    assert "can have at most" in fault_of([record([1], [1], [2**63, 2**63])], UNLABELLED)


def test_something_else_is_not_read_as_records() -> None:
    text = fault_of(b"sepal,petal\n1,2\n")
    assert text == (
        "train.rec, record 1 at byte 0: must begin with the bytes 0a 23 d7 ce, got '73 65 70 61'."
        " Is this RecordIO-protobuf?"
    )
    assert "record 1" in fault_of(b"\x0a\x23")
    good = encoded(iris())
    assert f"record 151 at byte {len(good)}" in fault_of(good + b"\x0a\x23\xd7")
    assert f"record 151 at byte {len(good)}" in fault_of(good + b"more")


@pytest.mark.parametrize("batch", [iris().slice(0, 3), sparse_rows(3)], ids=["dense", "sparse"])
def test_data_cut_off_anywhere_are_refused(batch: Batch) -> None:
    data = encoded(batch)
    ends = set(np.cumsum([len(encoded(batch.slice(i, i + 1))) for i in range(3)]).tolist())
    for length in set(range(1, len(data))) - ends:
        assert "train.rec, record " in fault_of(data[:length])


@pytest.mark.parametrize(
    "batch", [iris().slice(0, 2), sparse_rows(2, 200)], ids=["dense", "sparse"]
)
@pytest.mark.parametrize("reading", [LABELLED, UNLABELLED])
def test_a_flipped_bit_is_refused_or_read_as_protobuf_reads_it(
    batch: Batch, reading: Reading
) -> None:
    data = encoded(batch)
    for at, bit in itertools.product(range(len(data)), range(8)):
        flipped = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        compare_with_protobuf(flipped, reading)


@given(st.data())
def test_garbage_is_refused_or_read_as_protobuf_reads_it(drawn: st.DataObject) -> None:
    data = bytearray(encoded(drawn.draw(st.sampled_from([iris().slice(0, 40), sparse_rows(40)]))))
    for _ in range(drawn.draw(st.integers(1, 4))):
        at = drawn.draw(st.integers(0, len(data)))
        some = drawn.draw(st.binary(max_size=12))
        data[at : at + drawn.draw(st.integers(0, 12))] = some
    compare_with_protobuf(bytes(data), LABELLED)


def compare_with_protobuf(data: bytes, reading: Reading) -> None:
    try:
        got = decoded(data, reading)
    except CallerError as fault:
        assert str(fault).startswith("train.rec, record ")
        return
    # A label that nobody wants is not looked at
    rows = list(rows_by_protobuf(data, Record if reading.label_size else Unlabelled))
    np.testing.assert_array_equal(got.dense(), [x for x, _ in rows])
    if got.label is not None:
        np.testing.assert_array_equal(got.label.reshape(got.rows, -1), [y for _, y in rows])


def rows_by_protobuf(data: bytes, schema: Any) -> Iterator[tuple[list[float], list[float]]]:
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        message = schema.FromString(data[at + 8 : at + 8 + length])
        at += 8 + length + -length % 4
        x = tensor_of(message.features["values"])
        row = np.zeros(x.shape[0] if x.shape else len(x.values))
        row[list(x.keys) if x.keys else slice(len(x.values))] = x.values
        label = tensor_of(message.label["values"]).values if schema is Record else ()
        yield row.tolist(), list(label)


def tensor_of(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value") or "float32_tensor")


def nested(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + length_of(len(data)) + data


def length_of(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


HUGE = [length_of(2**31), length_of(2**32 - 1), length_of(2**63), b"\xff" * 9 + b"\x01"]


@pytest.mark.parametrize("huge", HUGE)
def test_lengths_beyond_the_data_are_refused_at_every_level(huge: bytes) -> None:
    tensor = nested(1, np.ones(2, "<f4").tobytes())
    levels: list[Callable[[bytes], bytes]] = [
        lambda field: field,
        lambda field: nested(1, nested(1, b"values") + field),
        lambda field: nested(1, nested(1, b"values") + nested(2, field)),
        lambda field: nested(1, nested(1, b"values") + nested(2, nested(2, field))),
        lambda field: nested(1, nested(1, b"values") + nested(2, nested(2, tensor + field))),
    ]
    good = framed(levels[3](tensor))
    for level, number in itertools.product(levels, (1, 2, 3, 9)):
        bad = framed(level(bytes([number << 3 | 2]) + huge + b"abc"))
        for data in (bad, good + bad, good * 700 + bad):
            text = fault_of(data, UNLABELLED)
            assert "is no protobuf message of a row" in text
            assert "runs past its end" in text or "cut off" in text


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (b"\x0b" * 500, "a field of wire type 3 has no place in a record"),
        (b"\x0f", "a field of wire type 7 has no place in a record"),
        (b"\x02\x01a", "a field is numbered 0"),
        (b"\x80" * 11, "an integer is longer than 10 bytes"),
        (b"\x80" * 3, "an integer is cut off"),
        (b"\x0a", "an integer is cut off"),
        (b"\x25abc", "a field of 4 bytes runs past its end"),
        (b"\x08\x01" * 200_000, "there are more than 131,072 fields"),
    ],
)
def test_what_no_writer_of_records_writes_is_refused(message: bytes, fault: str) -> None:
    assert fault in fault_of(framed(message))


@pytest.mark.parametrize(
    ("tensor", "fault"),
    [
        (nested(1, b"abc"), "must have values of 4 bytes each, got '3 bytes'"),
        (nested(1, bytes(4)) + nested(2, b"\x80") + nested(3, b"\x05"), "must hold whole integers"),
        (
            nested(1, bytes(4)) + nested(2, b"\x80" * 10 + b"\x01") + nested(3, b"\x05"),
            "must hold integers of at most 64 bits",
        ),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 700])
def test_broken_numbers_are_refused(tensor: bytes, fault: str, before: int) -> None:
    good = record([1, 2, 3, 4], [0, 1, 2, 3], [5]).SerializeToString()
    bad = nested(1, nested(1, b"values") + nested(2, nested(2, tensor)))
    text = fault_of(framed(good) * before + framed(bad), UNLABELLED)
    assert f"record {before + 1} at byte {before * len(framed(good))}" in text
    assert fault in text


def test_parts_that_do_not_belong_together_are_refused() -> None:
    def part(flag: int, data: bytes = b"abcd") -> bytes:
        return MAGIC + (flag << 29 | len(data)).to_bytes(4, "little") + data

    assert "part 1 must have the flag 0 or 1, got 3" in fault_of(part(3))
    assert "part 1 must have the flag 0 or 1, got 7" in fault_of(part(7))
    assert "part 2 must have the flag 2 or 3, got 0" in fault_of(part(1) + part(0))
    assert "part 3 must have the flag 2 or 3, got 1" in fault_of(part(1) + part(2) + part(1))
    assert "must begin with the bytes" in fault_of(part(1) + b"x" * 8)
    assert "must be whole" in fault_of(part(1))
    many = part(1) + part(2) * 140_000 + part(3)
    assert "must be of at most 131,072 parts" in fault_of(many)


class Endless(io.RawIOBase):
    """The same bytes for ever."""

    def __init__(self, data: bytes) -> None:
        self._data = np.frombuffer(data * (1 + (1 << 16) // len(data)), np.uint8)
        self._period = len(data)
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, view: memoryview) -> int:  # type: ignore[override]
        some = self._data[self._at : self._at + len(view)]
        view[: len(some)] = some.data
        self._at = (self._at + len(some)) % self._period
        return len(some)


def peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_length_alone_takes_no_memory() -> None:
    data = MAGIC + (2**29 - 1).to_bytes(4, "little") + b"short"
    assert peak_bytes(lambda: fault_of(data)) < MODEST_BYTES
    message = bytes([0x0A]) + length_of(2**31)
    assert peak_bytes(lambda: fault_of(framed(message))) < MODEST_BYTES


@pytest.mark.parametrize("flag", [1, 2])
def test_a_record_without_an_end_is_refused(flag: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_frames, "_WINDOW_LIMIT", 2 << 20)
    first = MAGIC + (1 << 29 | 8).to_bytes(4, "little") + bytes(8)
    parts = MAGIC + (2 << 29 | 8).to_bytes(4, "little") + bytes(8)
    stream = io.BufferedReader(Chained(first if flag == 1 else b"", Endless(parts)))
    with pytest.raises(CallerError, match=r"record 1 at byte 0"):
        list(recordio.decode(stream, "train.rec", LABELLED))


class Chained(io.RawIOBase):
    def __init__(self, head: bytes, rest: io.RawIOBase) -> None:
        self._head = io.BytesIO(head)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, view: memoryview) -> int:  # type: ignore[override]
        return self._head.readinto(view) or self._rest.readinto(view) or 0


@pytest.mark.parametrize("batch", [iris(), sparse_rows(100)], ids=["dense", "sparse"])
def test_an_endless_stream_is_read_in_steady_memory(batch: Batch) -> None:
    def read() -> None:
        rows = 0
        for part in recordio.decode(Endless(encoded(batch)), "train.rec", LABELLED):
            rows += part.rows
            if rows > 100_000:
                return

    assert peak_bytes(read) < MODEST_BYTES


def outcome(data: bytes) -> tuple[str, bytes]:
    """What is read or what is told, to be compared."""
    try:
        batches = list(recordio.decode(io.BytesIO(data), "train.rec", LABELLED))
    except CallerError as fault:
        return str(fault), b""
    rows = concatenate(batches)
    x, labels = rows.sparse(), rows.labels()
    parts = (x.indptr.astype(np.int64), x.indices.astype(np.int64), x.data, labels)
    return str(x.shape), b"".join(part.tobytes() for part in parts)


@pytest.mark.parametrize("width", [100, 20_000, 5_000_000])
def test_damage_is_told_alike_of_records_read_together_and_one_by_one(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(width)
    keys = [np.unique(draw.integers(0, width, draw.integers(1, 40))) for _ in range(12)]
    sound = [record(np.ones(len(each)), each, [width], label=[1.0]) for each in keys]
    data = stream_of(sound).getvalue()
    damaged = [data]
    for _ in range(300):
        changed = bytearray(data)
        for at in draw.integers(0, len(data), 2):
            changed[at] ^= 1 << draw.integers(8)
        damaged.append(bytes(changed))
    together = [outcome(each) for each in damaged]
    monkeypatch.setattr(recordio, "_MOST_PATHS", 0)
    assert together == [outcome(each) for each in damaged]
    assert len({told for told, _ in together}) > 50
