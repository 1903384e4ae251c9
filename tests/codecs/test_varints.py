from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.codecs import varints as module
from clary.codecs.varints import Malformed, as_int32, packed_varints, varint, varints
from tests.codecs.record_schema import Record

_INTEGERS = st.integers(0, 2**64 - 1) | st.integers(0, 300)


def _by_protobuf(*numbers: int) -> bytes:
    tensor = Record().features["values"].float32_tensor
    tensor.keys.extend(numbers)
    data = tensor.SerializeToString()
    # Behind the tag and the length
    return data[next((at for at in range(1, len(data)) if data[at] < 0x80), 0) + 1 :]


def _packed(data: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.frombuffer(data, np.uint8)


@given(st.lists(_INTEGERS))
def test_integers_are_packed_as_protobuf_packs_them(numbers: list[int]) -> None:
    wanted = [_by_protobuf(number) for number in numbers]
    packed, bounds = packed_varints(np.array(numbers, np.uint64))
    assert packed.tobytes() == b"".join(wanted)
    assert np.diff(bounds).tolist() == [len(each) for each in wanted]
    assert [varint(number) for number in numbers] == wanted
    found = varints(packed)
    assert found.numbers.tolist() == numbers
    assert (found.ends + 1).tolist() == bounds[1:].tolist()


@pytest.mark.parametrize("at_once", [1, 2, 7])
def test_the_cuts_do_not_matter(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.random.default_rng(0).integers(0, 2**63, 100).astype(np.uint64)
    numbers >>= np.arange(100, dtype=np.uint64) % np.uint64(64)
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    assert np.array_equal(varints(packed_varints(numbers)[0]).numbers, numbers)


def test_negative_numbers_of_32_bits_take_64() -> None:
    numbers = varints(_packed(_by_protobuf(2**64 - 5) + b"\x05")).numbers
    assert as_int32(numbers).tolist() == [-5, 5]


def test_damage_is_told_with_its_place() -> None:
    with pytest.raises(Malformed, match="cut off") as caught:
        varints(_packed(b"\x05\x80"))
    assert caught.value.offset == 2
    with pytest.raises(Malformed, match="longer than 10 bytes") as caught:
        varints(_packed(b"\x05\x85\x01" + b"\x80" * 10 + b"\x01"))
    assert caught.value.offset == 3
    assert not len(varints(_packed(b"")).numbers)
