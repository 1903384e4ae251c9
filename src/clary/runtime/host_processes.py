"""Several hosts on one machine: a process each, which end together."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from threading import Thread
from typing import TypeAlias

from clary import settings
from clary.algorithms import declaration
from clary.runtime.failure import TrainingFailed, error_of
from clary.runtime.interruption import Interruption, Stopped
from clary.runtime.layout import Layout
from clary.runtime.log import Log, Relay
from clary.runtime.train import Job

Process: TypeAlias = "subprocess.Popen[str]"

_LOOK_SECONDS = 0.05
# As long as SageMaker waits between SIGTERM and SIGKILL
_STOP_SECONDS = 120.0
# For the others to tell why, once one has failed
_LAST_WORDS_SECONDS = 3.0


def train_on_hosts(
    job: Job, layouts: Mapping[str, Layout], log: Log, interruption: Interruption
) -> None:
    """Run `train` in every tree at once. The hosts share this machine's threads.

    Raises:
        CallerError: a host failed and the user can mend it.
        TrainingFailed: a host failed for another reason.
        Stopped: asked to end before there was a model.
    """
    processes = _started(job, layouts)
    leader = next(iter(layouts))
    readers = [
        Thread(
            target=_relayed, args=(process, Relay(log, declaration(job.algorithm), host, leader))
        )
        for host, process in processes.items()
    ]
    for reader in readers:
        reader.start()
    try:
        failed = _watched(processes, interruption)
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
        for reader in readers:
            reader.join()
    if interruption.stopping.is_set() and not any(layouts[leader].model.iterdir()):
        raise Stopped
    if failed:
        raise _reason({host: layouts[host] for host in failed}, processes)


def _started(job: Job, layouts: Mapping[str, Layout]) -> dict[str, Process]:
    rendezvous = _free_address()
    threads = max(1, settings.threads() // len(layouts))
    return {
        host: subprocess.Popen(
            [sys.executable, "-m", "clary.runtime.train", job.algorithm],
            env=settings.child_environment(
                CLARY_ML_ROOT=str(layout.root),
                CLARY_SEED=str(job.seed),
                CLARY_RENDEZVOUS=rendezvous,
                CLARY_OPTIONS=json.dumps(dict(job.options)),
                OMP_NUM_THREADS=str(threads),
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Ctrl-C is for this process to pass on
            start_new_session=True,
        )
        for host, layout in layouts.items()
    }


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _relayed(process: Process, relay: Relay) -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            relay.line(line.rstrip("\n"))


def _watched(processes: Mapping[str, Process], interruption: Interruption) -> list[str]:
    """Wait until all have ended, or one has failed; the names of those that failed."""
    deadline = None
    while any(process.poll() is None for process in processes.values()):
        if deadline is None and interruption.stopping.is_set():
            deadline = time.monotonic() + _STOP_SECONDS
            for process in processes.values():
                process.send_signal(signal.SIGTERM)
        if deadline is None and any(process.poll() for process in processes.values()):
            deadline = time.monotonic() + _LAST_WORDS_SECONDS
        if deadline is not None and time.monotonic() > deadline:
            break
        time.sleep(_LOOK_SECONDS)
    return [host for host, process in processes.items() if process.poll()]


def _reason(layouts: Mapping[str, Layout], processes: Mapping[str, Process]) -> Exception:
    """Why the training failed: a host's own trouble rather than the loss of another host."""
    errors = [_error(host, layout, processes[host].returncode) for host, layout in layouts.items()]
    return min(errors, key=lambda error: ("LostHost" in str(error), type(error) is TrainingFailed))


def _error(host: str, layout: Layout, code: int) -> Exception:
    if layout.failure.exists():
        return error_of(layout.failure.read_text())
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return TrainingFailed(f"{host} was ended by {how}")
