from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from clary.kit.parallel import one_thread_blas, ordered_map


@pytest.fixture(params=["1", "2", "4"])
def threads(request, monkeypatch) -> int:
    monkeypatch.setenv("OMP_NUM_THREADS", request.param)
    return int(request.param)


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_results_come_in_the_order_of_the_items(threads):
    def slow_for_early_items(number: int) -> int:
        time.sleep(0.02 if number % 4 == 0 else 0)
        return number * number

    assert list(ordered_map(slow_for_early_items, range(20))) == [n * n for n in range(20)]


def test_nothing_comes_of_nothing(threads):
    assert list(ordered_map(str, [])) == []


def test_a_stream_is_read_only_a_little_ahead(threads):
    taken = []

    def stream():
        for number in range(1000):
            taken.append(number)
            yield number

    results = ordered_map(str, stream())
    for _ in range(5):
        next(results)
    assert len(taken) <= 5 + 2 * threads
    results.close()


def test_an_error_of_the_work_comes_through_and_stops_the_stream(threads):
    taken = []

    def stream():
        for number in range(1000):
            taken.append(number)
            yield number

    def fails_at_three(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    results = ordered_map(fails_at_three, stream())
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert len(taken) <= 4 + 2 * threads


def test_an_error_of_the_items_comes_through(threads):
    def stream():
        yield 1
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        list(ordered_map(str, stream()))


def test_no_thread_is_left_behind(threads):
    results = ordered_map(str, range(100))
    next(results)
    results.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("clary")]


def test_work_runs_on_as_many_threads_as_are_set(threads):
    together = threading.Barrier(threads, timeout=10)
    # The barrier opens only when all the threads wait at it at once
    list(ordered_map(lambda _: together.wait(), range(threads)))


def test_the_bits_of_a_sum_do_not_depend_on_the_number_of_threads(monkeypatch):
    rng = np.random.default_rng(0)
    chunks = rng.normal(size=(12, 500, 64)).astype(np.float32)
    sums = []
    for number in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", number)
        total = np.zeros((64, 64), np.float32)
        for part in ordered_map(lambda chunk: chunk.T @ chunk, chunks):
            total += part
        sums.append(total.tobytes())
    assert len(set(sums)) == 1


def test_blas_has_one_thread_inside_and_as_many_as_before_outside():
    before = blas_threads()
    with one_thread_blas():
        assert blas_threads() == {1}
        with one_thread_blas():
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_overlapping_users_of_one_thread_blas_restore_it_only_at_the_end():
    before = blas_threads()
    first, second = one_thread_blas(), one_thread_blas()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert blas_threads() == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before
