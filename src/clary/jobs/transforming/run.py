"""Objects to outputs: requests in order, several at once, one object's fault not another's."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import TypeAlias

from clary.data.sources import Item
from clary.data.streams import plain
from clary.errors import CallerError
from clary.jobs.transforming.containers import Pipeline
from clary.jobs.transforming.records import packs
from clary.jobs.transforming.request import Limits, Transform
from clary.kit.parallel import one_thread_blas
from clary.storage.folder import disk_full_explained
from clary.storage.location import Location

Deliver: TypeAlias = Callable[[Path, str], None]

_log = logging.getLogger("clary.transform")


class Stopped(Exception):
    """The transform was told to stop."""


@dataclass(eq=False)
class _Progress:
    """One object's way; once it failed, no more requests of it are made."""

    name: str
    failed: bool = False


@dataclass(frozen=True)
class _Request:
    """Records of one request; none stand for the object's end, which may be a fault."""

    progress: _Progress
    records: list[bytes] | None
    fault: CallerError | None = None


class TransformRun:
    """One transform over objects.

    deliver: puts a file with a whole output where it belongs. scratch: a folder for unfinished
    ones. stop: once set, the run ends with Stopped.
    """

    def __init__(
        self,
        transform: Transform,
        pipeline: Pipeline,
        deliver: Deliver,
        scratch: Path,
        stop: Event,
    ) -> None:
        self.limits: Limits = transform.limits(pipeline.parameters)
        # Whether a request was given up that may still be worked on
        self.hangs = False
        self._transform, self._pipeline = transform, pipeline
        self._deliver, self._scratch, self._stop = deliver, scratch, stop
        self._pool = self._new_pool()

    def over(self, items: Iterable[Item]) -> Iterator[tuple[str, CallerError | None]]:
        """Each object's name and why it has no output, as they are done.

        Raises:
            Stopped: it was told to.
        """
        try:
            with one_thread_blas():
                asked = self._asked(self._requests(items))
                for progress, answers in groupby(asked, key=lambda one: one[0].progress):
                    yield progress.name, self._written(progress, answers)
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _requests(self, items: Iterable[Item]) -> Iterator[_Request]:
        for item in items:
            progress, fault = _Progress(item.name), None
            try:
                for records in self._records(item):
                    if progress.failed:
                        break
                    yield _Request(progress, records)
            except CallerError as error:
                fault = error
            yield _Request(progress, None, fault)

    def _records(self, item: Item) -> Iterator[list[bytes]]:
        (location,) = item.parts
        assert isinstance(location, Location)
        if self._transform.gzip:
            with plain(location, must_be_gzip=True) as stream:
                yield from packs(stream, item.name, self._transform, self.limits)
        else:
            with location.open() as stream:
                yield from packs(stream, item.name, self._transform, self.limits)

    def _asked(
        self, requests: Iterable[_Request]
    ) -> Iterator[tuple[_Request, Future[bytes] | None]]:
        """The requests in order with their answers to come, few of them ahead."""
        pending: deque[tuple[_Request, Future[bytes] | None]] = deque()
        for request in requests:
            pending.append((request, self._submitted(request)))
            if len(pending) > self.limits.concurrent:
                yield pending.popleft()
        yield from pending

    def _written(
        self, progress: _Progress, answers: Iterator[tuple[_Request, Future[bytes] | None]]
    ) -> CallerError | None:
        """Why an object's answers could not all be put where they belong."""
        path = self._scratch / "unfinished"
        try:
            with disk_full_explained(path), path.open("wb") as out:
                for request, future in answers:
                    out.write(self._answer(request, future))
            self._deliver(path, progress.name)
        except CallerError as fault:
            progress.failed = True
            return fault
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        return None

    def _answer(self, request: _Request, future: Future[bytes] | None) -> bytes:
        """What is written for a request, which is made again if it fails by no fault of its own."""
        if request.fault:
            raise request.fault
        why = ""
        for _ in range(1 + self._transform.retries):
            if self._stop.is_set():
                raise Stopped
            if future is None:
                return b""
            try:
                return future.result(self._transform.timeout_seconds)
            except TimeoutError:
                why = f"must answer within {self._transform.timeout_seconds:g} s"
                self._give_up()
            except CallerError:
                raise
            except Exception as error:
                _log.exception("a request failed")
                why = f"failed by a fault of its own: {type(error).__name__}: {error}"
            future = self._submitted(request)
        raise CallerError.of("container", why)

    def _submitted(self, request: _Request) -> Future[bytes] | None:
        if request.records is None:
            return None
        return self._pool.submit(self._work, request.progress, request.records)

    def _work(self, progress: _Progress, records: list[bytes]) -> bytes:
        if progress.failed or self._stop.is_set():
            return b""
        transform = self._transform
        body = transform.body(records)
        answer = self._pipeline.answer(body, transform.content_type, transform.accept)
        return transform.stored(records, answer)

    def _give_up(self) -> None:
        """Leave a request that does not end to itself, and go on with fresh threads."""
        self.hangs = True
        self._pool.shutdown(wait=False)
        self._pool = self._new_pool()

    def _new_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.limits.concurrent, thread_name_prefix="transform")
