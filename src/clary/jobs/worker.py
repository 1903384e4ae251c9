"""A worker: a process that is ready, its imports done, before it is told what to do.

It reads one order, a JSON object on one line of standard input, does that work and ends. Standard
output and error are the container's log; what the server must know goes as JSON lines to the file
descriptor that CLARY_EVENTS names. Standard input stays open as long as the server lives: when it
ends, so does the worker, with all it started, at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from clary import settings
from clary.algorithms import CATALOGUE, declaration
from clary.runtime.failure import OUR_FAULT, exit_code, failure_text

Tell: TypeAlias = Callable[..., None]

# What an order may name: `run(order, tell)` of each module
WORKS: Mapping[str, str] = {
    "training": "clary.jobs.training_work",
    "transform": "clary.jobs.transforming.work",
    "serving": "clary.jobs.serving.work",
}
# The order of work that was called off before a worker had it
NOTHING = "nothing"
# In a job's folder: what came of it, what is of no use afterwards, who works there
RESULT, SCRATCH, LOCK = "result.json", "scratch", "lock"
# As much of the failure file as the platform shows
REASON_CHARACTERS = 1024
_NICE = 10
# How long an earlier worker of the same job may take to die
_LOCK_SECONDS = 30.0
# The system's own choice, when memory runs out, falls on workers before the server
_OOM_SCORE = "500"


def main() -> None:
    """Entry point."""
    settings.calm_threads()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    behind_the_server(True)
    tell = _teller()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    _preload()
    tell(event="ready")
    line = sys.stdin.readline()
    if not line:
        return
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    order = json.loads(line)
    os.environ.update(order.get("environment", {}))
    if order["work"] != NOTHING:
        with _alone(Path(order["folder"])):
            import_module(WORKS[order["work"]]).run(order, tell)


def behind_the_server(is_behind: bool) -> None:
    """Whether this process lets those that answer requests have a processor at once."""
    if hasattr(os, "SCHED_BATCH"):
        policy = os.SCHED_BATCH if is_behind else os.SCHED_OTHER
        os.sched_setscheduler(0, policy, os.sched_param(0))


def at_leisure() -> None:
    """Let this process's work wait for the server's, which shares the processors."""
    os.nice(_NICE)


def tell_failure(tell: Tell, error: Exception) -> None:
    """Why the work failed; where the fault is ours, the log says where."""
    if exit_code(error) == OUR_FAULT:
        traceback.print_exception(error)
    tell(event="failed", reason=failure_text(error)[:REASON_CHARACTERS])


def _preload() -> None:
    """Import what any work needs; what is alive then stays, so it need not be collected."""
    for module in ("clary.runtime.launch", "clary.runtime.serve"):
        import_module(module)
    for name in CATALOGUE:
        algorithm = declaration(name)
        for place in (algorithm.fit, algorithm.model):
            with contextlib.suppress(ImportError):
                import_module(place.partition(":")[0])
    gc.collect()
    gc.freeze()


def _teller() -> Tell:
    """Tells the server: `tell(event="…", …)`."""
    events = os.fdopen(settings.events_descriptor(), "w", buffering=1, encoding="utf-8")
    lock = threading.Lock()

    def tell(**event: Any) -> None:
        with lock:
            events.write(json.dumps(event) + "\n")

    return tell


def _end_with_the_server() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Inside, no other worker works in the folder: nothing is run twice at once."""
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _LOCK_SECONDS
    with (folder / LOCK).open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield


if __name__ == "__main__":
    main()
