"""Numeric work spread over threads so that its bits do not depend on how many there are.

BLAS sums in another order when it has more threads. So work is cut into chunks of a fixed size,
each chunk runs on one thread with one-thread BLAS, and results are handed back in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from clary import settings

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`work` of every item, in order, over `settings.threads()` threads with one-thread BLAS.

    Items are taken as needed, at most two a thread ahead of what was handed out, so that a stream
    stays a stream; they are taken in the caller's thread. The first exception, of `work` or of
    `items`, ends it. Until the iterator is exhausted or closed, BLAS has one thread.
    """
    threads = settings.threads()
    with one_thread_blas():
        if threads == 1:
            yield from map(work, items)
        else:
            yield from _pooled(work, items, threads)


def spread(work: Callable[[T], R], items: Sequence[T]) -> Iterable[R]:
    """`ordered_map`; what is one item only, as a usual request, is not worth threads.

    For work whose bits BLAS has no part in: of one item it would have all its threads.
    """
    return map(work, items) if len(items) < 2 else ordered_map(work, items)


@contextmanager
def one_thread_blas() -> Iterator[None]:
    """Every BLAS call of the process runs on its caller's thread alone. May be nested."""
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()


def _pooled(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="clary") as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) == 2 * threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


class _BlasLimit:
    """Counts who needs one-thread BLAS.

    The number of BLAS threads belongs to the process. Requests and generators overlap without
    nesting, so only the first to come may set it and only the last to go may restore it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._limiter: Any = None

    def enter(self) -> None:
        with self._lock:
            if self._users == 0:
                self._limiter = ThreadpoolController().limit(limits=1, user_api="blas")
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limiter.restore_original_limits()


_LIMIT = _BlasLimit()
