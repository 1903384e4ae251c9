"""Workers as the server sees them: processes, one of them always warm."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from clary import settings

# A new spare is started a little after one was taken: its imports would slow what that one does
_SPARE_AFTER_SECONDS = 1.5
# An end that cannot be noted, because the disk is full, is tried again after so many seconds; a
# later server finds out what nobody could write down
_PAUSES = (1, 2, 4, 8, 16)

T = TypeVar("T")

_log = logging.getLogger("clary.jobs")


@dataclass(frozen=True)
class Exit:
    """How a worker ended: code 0 done, negative by that signal; why, if the server killed it."""

    code: int
    reason: str | None = None

    def told(self) -> str:
        """The end of a sentence: `… was ended by signal SIGKILL`."""
        if self.code >= 0:
            return f"ended with exit code {self.code}"
        with suppress(ValueError):
            return f"was ended by signal {signal.Signals(-self.code).name}"
        return f"was ended by signal {-self.code}"


class Work(Protocol):
    """One piece of work, on the server's side; told of what happens by a worker's threads."""

    def order(self) -> Mapping[str, Any]:
        """What the worker is told: `work`, `folder`, maybe `environment`, and what it needs."""

    def line(self, text: str) -> None:
        """A line of the container's log."""

    def event(self, event: Mapping[str, Any]) -> None:
        """What the worker told."""

    def ended(self, end: Exit) -> None:
        """It is over; all lines and events were given before."""


class Worker:
    """One worker process."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self._events = os.fdopen(reading, encoding="utf-8", errors="replace")
        self._reason: str | None = None
        self._gone = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "clary.jobs.worker"],
            env=settings.worker_environment(
                settings.server_s3_endpoint() is not None, CLARY_EVENTS=str(writing)
            ),
            pass_fds=(writing,),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            # So that it and all it starts can be ended together
            start_new_session=True,
        )
        os.close(writing)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def begin(self, work: Work) -> None:
        """Give it its order; from now on the work hears of it."""
        threading.Thread(target=self._follow, args=(work,), daemon=True).start()
        try:
            order = json.dumps(work.order())
        except Exception as error:
            # What cannot be begun must end, or its place would be taken for ever
            _log.exception("an order could not be made")
            self.kill(f"its order could not be made: {type(error).__name__}: {error}")
            return
        assert self._process.stdin
        # A worker that is dead already is found out where its end is waited for
        with suppress(OSError):
            self._process.stdin.write(order + "\n")
            self._process.stdin.flush()

    def terminate(self) -> None:
        """Ask it to end with what it has."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def kill(self, reason: str | None = None) -> None:
        """End it and all it started, now."""
        self._reason = self._reason or reason
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end and for the work's knowing of it; whether it came in time."""
        return self._gone.wait(seconds)

    def discard(self) -> None:
        """End a worker that was given nothing to do."""
        self.kill()
        self._process.wait()
        self._close()

    def _follow(self, work: Work) -> None:
        reader = threading.Thread(target=self._read_events, args=(work,), daemon=True)
        reader.start()
        assert self._process.stdout
        for line in self._process.stdout:
            _safely(work.line, line.rstrip("\n"))
        code = self._process.wait()
        # What it left running would keep the pipe of events open
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        reader.join()
        self._close()
        for pause in _PAUSES:
            if _safely(work.ended, Exit(code, self._reason)):
                break
            time.sleep(pause)
        self._gone.set()

    def _read_events(self, work: Work) -> None:
        for line in self._events:
            # A worker that was killed may leave half a line
            with suppress(ValueError):
                event = json.loads(line)
                if event["event"] != "ready":
                    _safely(work.event, event)

    def _close(self) -> None:
        self._events.close()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with suppress(OSError):
                    stream.close()


def _safely(tell: Callable[[T], None], what: T) -> bool:
    """Tell; whether that went well. What cannot be noted now must not end the watch of a worker."""
    try:
        tell(what)
    except Exception:
        _log.exception("a worker's news could not be noted: %.200s", what)
        return False
    return True


class Workers:
    """Hands out workers; while `warm`, one spare has its imports done already."""

    def __init__(self, warm: bool = True) -> None:
        self._warm = warm
        self._lock = threading.Lock()
        self._spare: Worker | None = None
        self._timer: threading.Timer | None = None
        self._closed = False

    def start(self) -> None:
        """Start the spare."""
        with self._lock:
            if self._warm and not self._closed and self._spare is None:
                self._spare = Worker()

    def take(self) -> Worker:
        with self._lock:
            worker, self._spare = self._spare, None
            if self._timer:
                self._timer.cancel()
            self._timer = threading.Timer(_SPARE_AFTER_SECONDS, self.start)
            self._timer.daemon = True
            self._timer.start()
        return worker if worker and worker.is_alive else Worker()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._timer:
                self._timer.cancel()
            spare, self._spare = self._spare, None
        if spare:
            spare.discard()


def resident_bytes(pid: int) -> int:
    """Memory of a process and its children; 0 where the system does not tell."""
    total, processes = 0, [pid]
    page = os.sysconf("SC_PAGE_SIZE")
    while processes:
        folder = Path(f"/proc/{processes.pop()}")
        with suppress(OSError, ValueError, IndexError):
            total += int((folder / "statm").read_text().split()[1]) * page
            for children in folder.glob("task/*/children"):
                processes += [int(child) for child in children.read_text().split()]
    return total
