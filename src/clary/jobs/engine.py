"""Runs work: so many jobs at once, the others wait their turn; each is watched until its end."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from clary.jobs.workers import Exit, Work, Worker, Workers, resident_bytes

Key: TypeAlias = tuple[str, str]

_LOOK_SECONDS = 0.25
# Between SIGTERM and SIGKILL, as on SageMaker
_GRACE_SECONDS = 120.0

_log = logging.getLogger("clary.jobs")


@dataclass
class _Running:
    worker: Worker
    deadline: float | None = None
    stopping_until: float | None = None
    on_deadline: Callable[[], None] = field(default=lambda: None)


@dataclass(frozen=True)
class _Waiting:
    key: Key
    work: Work
    until: float | None
    on_waited: Callable[[], None]

    @property
    def is_overdue(self) -> bool:
        return self.until is not None and time.monotonic() > self.until


class Engine:
    """Jobs by their key: kind and name.

    places: how many jobs run at once. memory_bytes: what one of them may take.
    """

    def __init__(self, places: int, memory_bytes: int, warm: bool = True) -> None:
        self._places, self._memory_bytes = places, memory_bytes
        self._workers = Workers(warm)
        self._lock = threading.RLock()
        self._queue: deque[_Waiting] = deque()
        self._running: dict[Key, _Running] = {}
        self._serving: set[Worker] = set()
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._workers.start()
        self._watcher.start()

    def submit(
        self,
        key: Key,
        work: Work,
        wait_seconds: float | None = None,
        on_waited: Callable[[], None] = lambda: None,
    ) -> None:
        """Run a job as soon as there is a place.

        One that has waited longer than `wait_seconds` is dropped, and `on_waited` called.
        """
        until = None if wait_seconds is None else time.monotonic() + wait_seconds
        with self._lock:
            self._queue.append(_Waiting(key, work, until, on_waited))
        self._advance()

    def has_place(self) -> bool:
        """Whether a job submitted now would begin at once."""
        with self._lock:
            return not self._queue and len(self._running) < self._places

    def serve(self, work: Work) -> Worker:
        """Start a worker that takes no job's place: a model's server."""
        worker = self._workers.take()
        with self._lock:
            self._serving.add(worker)
        worker.begin(_Followed(work, partial(self._serving.discard, worker)))
        return worker

    def limit(self, key: Key, seconds: float, on_deadline: Callable[[], None]) -> None:
        """Call `on_deadline` and stop a running job when it has taken so long."""
        with self._lock:
            if key in self._running:
                self._running[key].deadline = time.monotonic() + seconds
                self._running[key].on_deadline = on_deadline

    def stop(self, key: Key, grace_seconds: float = _GRACE_SECONDS) -> bool:
        """Ask a job to end with what it has; whether it was running or waiting.

        One that waits is taken out of the queue, and its work is not told.
        """
        with self._lock:
            waiting = [item for item in self._queue if item.key == key]
            if waiting:
                self._queue.remove(waiting[0])
                return False
            running = self._running.get(key)
            if running:
                running.stopping_until = time.monotonic() + grace_seconds
        if running:
            running.worker.terminate()
        return running is not None

    def close(self) -> None:
        """Kill everything; what was not finished is taken up again by the next server."""
        self._closed.set()
        with self._lock:
            self._queue.clear()
            workers = [one.worker for one in self._running.values()] + list(self._serving)
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.wait(5)
        self._workers.close()

    @property
    def is_closed(self) -> bool:
        """Ends that are told from now on are the server's doing."""
        return self._closed.is_set()

    def pids(self) -> Mapping[Key, int]:
        """The worker processes of running jobs."""
        with self._lock:
            return {key: running.worker.pid for key, running in self._running.items()}

    def _advance(self) -> None:
        while True:
            with self._lock:
                full = len(self._running) >= self._places
                if self._closed.is_set() or not self._queue or full:
                    return
                # Where no process can be made, the job goes on waiting
                worker = self._workers.take()
                waiting = self._queue.popleft()
                self._running[waiting.key] = _Running(worker)
            worker.begin(_Followed(waiting.work, partial(self._freed, waiting.key)))

    def _freed(self, key: Key) -> None:
        with self._lock:
            self._running.pop(key, None)
        self._advance()

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK_SECONDS):
            with self._lock:
                running = list(self._running.items())
                overdue = [one for one in self._queue if one.is_overdue]
                for one in overdue:
                    self._queue.remove(one)
            looks: list[Callable[[], None]] = [
                *(one.on_waited for one in overdue),
                *(partial(self._look, key, job) for key, job in running),
                *(partial(self._bound, worker) for worker in list(self._serving)),
            ]
            for look in looks:
                try:
                    look()
                except Exception:
                    # One job's trouble must not end the watch over the others
                    _log.exception("looking after jobs failed")

    def _look(self, key: Key, one: _Running) -> None:
        now = time.monotonic()
        if one.deadline is not None and now > one.deadline:
            one.deadline = None
            one.on_deadline()
            self.stop(key)
        if one.stopping_until is not None and now > one.stopping_until:
            one.worker.kill("it did not end within 120 seconds after SIGTERM")
        self._bound(one.worker)

    def _bound(self, worker: Worker) -> None:
        if resident_bytes(worker.pid) > self._memory_bytes:
            gib = self._memory_bytes / 2**30
            worker.kill(f"it took more memory than the {gib:.1f} GiB that a job may have")


class _Followed:
    """A work at whose end something else is to be done, too."""

    def __init__(self, work: Work, then: Callable[[], None]) -> None:
        self._work, self._then = work, then
        self.order, self.line, self.event = work.order, work.line, work.event

    def ended(self, end: Exit) -> None:
        try:
            self._work.ended(end)
        finally:
            self._then()
