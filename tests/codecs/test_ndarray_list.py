from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clary.codecs.ndarray_list import dumps, loads, read, write
from clary.errors import CallerError

HEAD = struct.pack("<3Q", 0x112, 0, 1)
NO_NAMES = struct.pack("<Q", 0)
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
ONES = np.ones((2, 3), "<f4")
# As MXNet 1.9.1 writes rows 1 and 3 of five
ROW_SPARSE = b"".join(
    [
        HEAD,
        struct.pack("<Iii2qi2q", V2, 1, 2, 2, 3, 2, 5, 3),
        struct.pack("<3iiiq", 1, 0, 0, 6, 1, 2),
        struct.pack("<6f2q", 1, 2, 3, 4, 5, 6, 1, 3),
        NO_NAMES,
    ]
)


def _fault(data: bytes) -> str:
    with pytest.raises(CallerError) as caught:
        loads(data, "model_algo-1")
    assert str(caught.value).startswith("model_algo-1")
    return str(caught.value)


_ARRAYS = hnp.arrays(
    st.sampled_from(["<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8"]),
    hnp.array_shapes(max_dims=4, max_side=3),
)


@given(st.lists(_ARRAYS, max_size=3) | st.dictionaries(st.text(max_size=5), _ARRAYS, max_size=3))
def test_what_is_written_is_read(arrays: Any) -> None:
    found = loads(dumps(arrays), "x")
    # Names that are none leave a list
    pairs = zip(
        found.values() if isinstance(found, dict) else found,
        arrays.values() if isinstance(arrays, dict) else arrays,
        strict=True,
    )
    for got, wanted in pairs:
        assert got.dtype == wanted.dtype
        assert got.shape == wanted.shape
        assert got.tobytes() == wanted.tobytes()
    if isinstance(found, dict):
        assert list(found) == list(arrays)


def test_files_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "model_algo-1"
    write(path, {"centers": ONES})
    found = read(path)
    assert isinstance(found, dict)
    assert np.array_equal(found["centers"], ONES)
    # A model goes on training
    found["centers"][0] = 5


def test_the_bytes_are_those_of_mxnet() -> None:
    # mx.nd.save("x", {"a": mx.nd.ones((2, 3))})
    wanted = (
        HEAD
        + struct.pack("<IiI2q3i", V2, 0, 2, 2, 3, 1, 0, 0)
        + ONES.tobytes()
        + struct.pack("<2Q", 1, 1)
        + b"a"
    )
    assert dumps({"a": ONES}) == wanted


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("<Ii2q", V1, 2, 2, 3),
        struct.pack("<Iii2q", V2, 0, 2, 2, 3),
        struct.pack("<Iii2q", V3, 0, 2, 2, 3),
        struct.pack("<I2I", 2, 2, 3),
    ],
    ids=["1", "2", "3", "oldest"],
)
def test_arrays_of_every_version_are_read(head: bytes) -> None:
    on_gpu = struct.pack("<3i", 2, 1, 0)
    [found] = loads(HEAD + head + on_gpu + ONES.tobytes() + NO_NAMES, "x")
    assert np.array_equal(found, ONES)


@pytest.mark.parametrize(
    "head",
    [struct.pack("<I", 0), struct.pack("<Iii", V2, 0, 0), struct.pack("<Iii", V3, 0, -1)],
)
def test_arrays_that_were_never_filled_are_empty(head: bytes) -> None:
    [found] = loads(HEAD + head + NO_NAMES, "x")
    assert isinstance(found, np.ndarray)
    assert found.size == 0


def test_a_scalar_of_version_3_is_read() -> None:
    data = struct.pack("<Iii3if", V3, 0, 0, 1, 0, 0, 2.5)
    [found] = loads(HEAD + data + NO_NAMES, "x")
    assert found == np.float32(2.5)


def test_rows_alone_are_read_as_the_whole_array() -> None:
    [found] = loads(ROW_SPARSE, "x")
    np.testing.assert_array_equal(found, [[0, 0, 0], [1, 2, 3], [0, 0, 0], [4, 5, 6], [0, 0, 0]])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "byte 0: must hold the magic number of 8 bytes here, got '0 bytes'"),
        (b"not an array list", "must begin as an MXNet NDArray list, got '6e 6f 74"),
        (HEAD[:-1], "must hold the number of arrays"),
        (struct.pack("<3Q", 0x112, 0, 2**63), "must hold an array's version"),
        (HEAD + struct.pack("<Ii", V2, 2), "dense or by rows, got 'storage type 2'"),
        (ROW_SPARSE.replace(struct.pack("<2q", 1, 3), struct.pack("<2q", 1, 5)), "of shape (5, 3)"),
        (
            ROW_SPARSE.replace(struct.pack("<2q", 1, 3), struct.pack("<2q", -1, 3)),
            "of shape (5, 3)",
        ),
        (HEAD + struct.pack("<Iii", V2, 0, 2**31 - 1), "at most 32 dimensions"),
        (HEAD + struct.pack("<Iii", V2, 0, -5), "at most 32 dimensions"),
        (HEAD + struct.pack("<Iiiq", V2, 0, 1, -1) + bytes(12), "of a sensible shape"),
        (HEAD + struct.pack("<Iii3q", V2, 0, 3, 0, 2**62, 2**62) + bytes(12), "sensible shape"),
        (HEAD + struct.pack("<Iiiq", V2, 0, 1, 2**40) + bytes(12), "must hold an array of shape"),
        (HEAD + struct.pack("<Iiiq3i", V2, 0, 1, 1, 1, 0, 99), "elements of a type from 0 to 6"),
        (dumps([ONES]) + b"more", "must end here, got '4 more bytes'"),
        (dumps([ONES])[:-8] + struct.pack("<2Q", 1, 2**50), "must hold a name of 1,125,899,906"),
        (dumps([ONES])[:-8] + struct.pack("<2Q", 1, 1) + b"\xff", "names in UTF-8"),
        (dumps([ONES, ONES])[:-8] + struct.pack("<2Q", 1, 1) + b"a", "must have 2 different names"),
    ],
)
def test_damage_is_told_with_its_place(data: bytes, words: str) -> None:
    assert words in _fault(data)


@given(st.data())
def test_damaged_bytes_are_refused_or_read_as_something_sound(drawn: st.DataObject) -> None:
    data = bytearray(dumps({"a": ONES, "b": np.arange(3)}))
    if drawn.draw(st.booleans()):
        del data[drawn.draw(st.integers(0, len(data) - 1)) :]
    for _ in range(drawn.draw(st.integers(0, 3))):
        at = drawn.draw(st.integers(0, max(0, len(data) - 1)))
        data[at : at + 1] = bytes([drawn.draw(st.integers(0, 255))])
    try:
        found = loads(bytes(data), "model")
    except CallerError as fault:
        assert str(fault).startswith("model")
        return
    for array in found.values() if isinstance(found, dict) else found:
        assert array.nbytes <= len(data)


def test_what_mxnet_has_no_type_for_is_a_fault_of_ours() -> None:
    with pytest.raises(TypeError, match="no NDArray holds"):
        dumps([np.zeros(2, np.complex64)])
    with pytest.raises(TypeError, match="no NDArray holds"):
        dumps([np.float32(1)])  # type: ignore[list-item]
