from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_array

from clary.codecs.batch import Batch
from clary.errors import CallerError
from tests.codecs.record_schema import framed, unframed
from tests.codecs.records import (
    UNLABELLED,
    assert_same,
    decoded,
    encoded,
    iris,
    record,
    sparse_rows,
)

MAGIC_FLOAT = -1804698880.0  # as float32 these are the bytes of the magic number

# Bytes that SageMaker's own classes write
DENSE_LABELLED = (
    "0a23d7ce2c0000000a160a0676616c756573120c120a0a080000803f00000040"
    "12120a0676616c756573120812060a040000803f"
)
SPARSE_LABELLED = (
    "0a23d7ce350000000a1f0a0676616c756573121512130a080000803f00008040120303ac021a02e807"
    "12120a0676616c756573120812060a0400000000000000"
)
SPLIT = "0a23d7ce140000200a160a0676616c756573120c120a0a080000803f0a23d7ce00000060"
UNSPLIT = "0a23d7ce180000000a160a0676616c756573120c120a0a080000803f0a23d7ce"


def test_a_dense_record_of_the_sdk_is_read_and_written() -> None:
    batch = Batch(np.array([[1, 2]], np.float32), np.array([1], np.float32))
    assert_same(decoded(bytes.fromhex(DENSE_LABELLED)), batch)
    assert encoded(batch).hex() == DENSE_LABELLED


def test_a_sparse_record_of_the_sdk_is_read_and_written() -> None:
    entries = np.array([1, 4], np.float32), np.array([3, 300]), np.array([0, 2])
    batch = Batch(csr_array(entries, shape=(1, 1000)), np.zeros(1, np.float32))
    assert_same(decoded(bytes.fromhex(SPARSE_LABELLED)), batch)
    assert encoded(batch).hex() == SPARSE_LABELLED


@pytest.mark.parametrize("data", [SPLIT, UNSPLIT])
def test_a_record_that_holds_the_magic_number_is_read_split_and_whole(data: str) -> None:
    expected = Batch(np.array([[1, MAGIC_FLOAT]], np.float32))
    assert_same(decoded(bytes.fromhex(data), UNLABELLED), expected)


def test_records_are_written_unsplit() -> None:
    assert encoded(Batch(np.array([[1, MAGIC_FLOAT]], np.float32))).hex() == UNSPLIT


def test_rows_of_the_protobuf_runtime_are_read() -> None:
    batch = iris()
    rows = zip(batch.dense(), batch.labels(), strict=True)
    assert_same(decoded(record(x, label=[y]) for x, y in rows), batch)


def test_the_protobuf_runtime_reads_what_is_written() -> None:
    batch = iris()
    records = unframed(encoded(batch))
    tensors = [one.features["values"].float32_tensor for one in records]
    np.testing.assert_array_equal([tensor.values for tensor in tensors], batch.dense())
    assert not any(tensor.keys or tensor.shape for tensor in tensors)
    labels = [one.label["values"].float32_tensor.values[0] for one in records]
    np.testing.assert_array_equal(labels, batch.labels())


def test_the_protobuf_runtime_reads_sparse_rows_that_are_written() -> None:
    batch = sparse_rows(400)
    features = batch.sparse()
    records = unframed(encoded(batch))
    tensors = [one.features["values"].float32_tensor for one in records]
    assert [key for tensor in tensors for key in tensor.keys] == features.indices.tolist()
    assert [x for tensor in tensors for x in tensor.values] == features.data.tolist()
    assert [len(tensor.keys) for tensor in tensors] == np.diff(features.indptr).tolist()
    assert {tuple(tensor.shape) for tensor in tensors} == {(300,)}
    labels = [one.label["values"].float32_tensor.values[0] for one in records]
    np.testing.assert_array_equal(labels, batch.labels())


@pytest.mark.parametrize("kind", ["float32", "float64", "int32"])
@pytest.mark.parametrize("label_kind", ["float32", "float64", "int32"])
def test_tensors_of_any_type_become_float32(kind: str, label_kind: str) -> None:
    # -1 takes ten bytes as an int32, 200 two, 7 one: lengths of records differ
    rows = np.random.default_rng(0).choice([-1, 0, 7, 200, 2**31 - 1], size=(700, 3))
    labels = np.arange(700) % 300
    messages = [
        record(x, label=[y], kind=kind, label_kind=label_kind)
        for x, y in zip(rows.tolist(), labels.tolist(), strict=True)
    ]
    assert_same(decoded(messages), Batch(rows.astype(np.float32), labels.astype(np.float32)))


def test_small_integers_of_one_byte_each_are_read() -> None:
    rows = np.random.default_rng(0).integers(0, 128, (2000, 5))
    messages = [record(x, kind="int32") for x in rows.tolist()]
    assert_same(decoded(messages), Batch(rows.astype(np.float32)))


def test_float64_beyond_float32_is_refused() -> None:
    messages = [record([1], kind="float64"), record([1e39], kind="float64")]
    with pytest.raises(CallerError, match=r"record 2 .* feature 0: must be a finite float32"):
        decoded(messages)


def test_types_may_change_within_a_stream() -> None:
    kinds = ["float32", "float64", "int32"]
    messages = [record([i, 2 * i], kind=kinds[i % 3], label=[i]) for i in range(1000)]
    i = np.arange(1000, dtype=np.float32)
    assert_same(decoded(messages), Batch(np.stack([i, 2 * i], axis=1), i))


def test_several_labels_make_a_matrix() -> None:
    batch = Batch(iris().dense(), iris().dense()[:, :3].copy())
    assert_same(decoded(encoded(batch)), batch)


def test_labels_are_dropped_where_they_are_not_wanted() -> None:
    assert decoded(encoded(iris()), UNLABELLED).label is None
    # Not even looked at
    assert decoded([record([1], label=[np.nan])], UNLABELLED).label is None


def test_sparse_rows_come_back() -> None:
    batch = sparse_rows(3000)
    assert_same(decoded(encoded(batch)), batch)
    assert decoded(encoded(batch)).sparse().has_canonical_format


def test_all_zero_sparse_rows_stay_sparse() -> None:
    batch = sparse_rows(500, density=0.002)
    assert np.count_nonzero(np.diff(batch.sparse().indptr) == 0) > 100
    assert_same(decoded(encoded(batch)), batch)


def test_explicit_zeros_of_sparse_rows_are_kept() -> None:
    assert decoded([record([0, 3], [5, 2], [9])], UNLABELLED).sparse().nnz == 2


def test_keys_may_come_in_any_order() -> None:
    batch = decoded([record([1, 2, 3], [7, 0, 4], [9])], UNLABELLED)
    assert batch.dense().tolist() == [[2, 0, 0, 0, 3, 0, 0, 1, 0]]
    assert batch.sparse().has_sorted_indices


def test_a_matrix_is_read_by_rows() -> None:
    messages = [record([1, 2, 3], [0, 4, 11], [3, 4]), record(range(12), shape=[3, 4])]
    got = decoded(messages, UNLABELLED)
    assert got.width == 12
    assert got.dense()[0].nonzero()[0].tolist() == [0, 4, 11]
    assert got.dense()[1].tolist() == list(range(12))


def test_dense_rows_may_say_their_shape() -> None:
    messages = [record(x, shape=[4]) for x in iris().dense()]
    assert_same(decoded(messages), Batch(iris().dense()))


def test_dense_and_sparse_rows_may_be_mixed() -> None:
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 3, (3000, 6)).astype(np.float32)
    is_sparse = np.repeat(rng.random(300) < 0.5, 10)
    messages = [
        record(x[x != 0], x.nonzero()[0], [6], label=[i]) if sparse else record(x, label=[i])
        for i, (x, sparse) in enumerate(zip(rows, is_sparse, strict=True))
    ]
    got = decoded(messages)
    assert got.is_sparse
    np.testing.assert_array_equal(got.dense(), rows)
    np.testing.assert_array_equal(got.label, np.arange(3000))


def test_whatever_else_a_record_holds_is_passed_over() -> None:
    messages = []
    for i in range(600):
        one = record([i, 1], label=[i], uid="row" * (i % 4), metadata=f'{{"place": {i}}}')
        one.features["picture"].bytes.value.append(b"\x00" * (i % 7))
        messages.append(one)
    i = np.arange(600, dtype=np.float32)
    assert_same(decoded(messages), Batch(np.stack([i, np.ones(600, np.float32)], axis=1), i))


def test_identifiers_of_one_length_do_not_slow_or_confuse_the_reader() -> None:
    messages = [record([i], label=[i], uid=f"{i:08}") for i in range(5000)]
    i = np.arange(5000, dtype=np.float32)
    assert_same(decoded(messages), Batch(i[:, None], i))


def tag(number: int, wire: int) -> bytes:
    return bytes([number << 3 | wire])


def nested(number: int, data: bytes) -> bytes:
    return tag(number, 2) + bytes([len(data)]) + data


def with_tensor(tensor: bytes) -> bytes:
    return framed(nested(1, nested(1, b"values") + nested(2, nested(2, tensor))))


def test_numbers_that_are_not_packed_are_read() -> None:
    x = np.array([1.5, -2], "<f4")
    loose = b"".join(tag(1, 5) + one.tobytes() for one in x)
    loose += b"".join(tag(2, 0) + bytes([key]) for key in (3, 1)) + tag(3, 0) + b"\x05"
    got = decoded(with_tensor(loose), UNLABELLED)
    assert got.dense().tolist() == [[0, -2, 0, 1.5, 0]]


def test_numbers_in_several_pieces_are_joined() -> None:
    pieces = nested(1, np.array([1, 2], "<f4").tobytes()) + nested(
        1, np.array([3], "<f4").tobytes()
    )
    whole = with_tensor(nested(1, np.array([4, 5, 6], "<f4").tobytes()))
    data = whole + with_tensor(pieces) + whole
    assert decoded(data, UNLABELLED).dense().tolist() == [[4, 5, 6], [1, 2, 3], [4, 5, 6]]


def test_the_last_tensor_of_a_value_counts() -> None:
    first = nested(2, nested(1, np.array([1, 2], "<f4").tobytes()))
    last = nested(3, nested(1, np.array([3], "<f8").tobytes()))
    data = framed(nested(1, nested(1, b"values") + nested(2, first + last)))
    assert decoded(data, UNLABELLED).dense().tolist() == [[3]]


def test_a_name_behind_its_value_is_read() -> None:
    value = nested(2, nested(2, nested(1, np.array([3], "<f4").tobytes())))
    data = framed(nested(1, value + nested(1, b"values")))
    assert decoded(data, UNLABELLED).dense().tolist() == [[3]]


def split(message: bytes, places: Iterable[int]) -> bytes:
    """The message as parts that end before the magic numbers at `places`."""
    bounds = [-4, *places, len(message)]
    parts = [message[a + 4 : b] for a, b in pairwise(bounds)]
    flags = [1, *[2] * (len(parts) - 2), 3]
    out = b""
    for flag, part in zip(flags, parts, strict=True):
        lrecord = flag << 29 | len(part)
        out += b"\x0a\x23\xd7\xce" + lrecord.to_bytes(4, "little") + part + bytes(-len(part) % 4)
    return out


@pytest.mark.parametrize("every", [1, 2, 700])
def test_split_records_between_others_are_read(every: int) -> None:
    rows = np.random.default_rng(0).random((2000, 6), np.float32)
    rows[::every, [1, 3, 4]] = MAGIC_FLOAT
    data = b""
    for x in rows:
        message = record(x).SerializeToString()
        places = [
            at for at in range(0, len(message), 4) if message[at : at + 4] == b"\x0a\x23\xd7\xce"
        ]
        data += split(message, places) if places else framed(message)
    assert data.count(b"\x0a\x23\xd7\xce") > 2000
    assert_same(decoded(data, UNLABELLED), Batch(rows))


def test_magic_numbers_in_the_data_of_whole_records_are_data() -> None:
    rng = np.random.default_rng(0)
    batch = sparse_rows(2000)
    features = batch.sparse()
    features.data[rng.random(features.nnz) < 0.3] = MAGIC_FLOAT
    assert_same(decoded(encoded(batch)), batch)
    dense = Batch(rng.choice([1, MAGIC_FLOAT], (2000, 6)).astype(np.float32))
    assert_same(decoded(encoded(dense)), dense)
