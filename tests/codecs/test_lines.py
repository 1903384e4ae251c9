from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.codecs.lines import Block, blocks, ordered, parse_number
from clary.errors import CallerError


@given(st.lists(st.text("ab\n", max_size=9)), st.integers(1, 7))
def test_blocks_hold_whole_lines_and_join_to_the_text(parts: list[str], size: int) -> None:
    text = "".join(parts).encode()
    found = list(blocks(io.BytesIO(text), "x", size))
    assert b"".join(block.data for block in found) == text
    assert all(block.data.endswith(b"\n") for block in found[:-1])
    for before, block in pairwise(found):
        assert block.number == before.number + before.data.count(b"\n")
        assert before.ends == before.data.count(b"\n")


def test_lines_keep_their_numbers() -> None:
    block = Block(b"one\n\n  \n two \nthree", 7, 4)
    assert list(block.lines()) == [(7, b"one"), (10, b"two"), (11, b"three")]


def _numbered(count: int) -> Iterator[Block]:
    return (Block(b"", number, 0) for number in range(count))


def test_results_come_in_order_and_few_blocks_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    taken = 0

    def source() -> Iterator[Block]:
        nonlocal taken
        for block in _numbered(100):
            taken += 1
            yield block

    for place, number in enumerate(ordered(lambda block: block.number, source())):
        assert number == place
        assert taken - place <= 4 + 1


def test_what_comes_before_a_fault_of_the_source_comes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def source() -> Iterator[Block]:
        yield from _numbered(5)
        raise CallerError.of("source", "broke")

    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        results = ordered(lambda block: block.number, source())
        assert [next(results) for _ in range(5)] == list(range(5))
        with pytest.raises(CallerError, match="broke"):
            next(results)


def test_threads_end_when_no_one_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    results = ordered(lambda block: block.number, _numbered(50))
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_digits_have_nothing_between_them() -> None:
    assert parse_number(b"-1.5e3") == -1500
    with pytest.raises(ValueError, match="1_000"):
        parse_number(b"1_000")
