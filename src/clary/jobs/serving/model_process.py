"""One container of an endpoint as a process: started, watched, started again after its death."""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clary.jobs.engine import Engine
from clary.jobs.logs import Writer
from clary.jobs.serving.connections import Connections
from clary.jobs.worker import NOTHING
from clary.jobs.workers import Exit, Worker

# Between SIGTERM and SIGKILL, as on SageMaker
_GRACE_SECONDS = 30.0
_PING_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 30.0
_LOOK_SECONDS = 0.01
# A container that dies so often before its first ping is not started once more
_MOST_STARTS = 3


@dataclass(frozen=True)
class ServingOrder:
    """What a container serves: the model is a file, a folder, or with many models nothing yet.

    hostname: what the container is called in messages. keeps_models: whether a multi-model
    container keeps a model after its answer.
    """

    hostname: str
    algorithm: str
    model: Path
    environment: Mapping[str, str]
    multi_model: bool = False
    keeps_models: bool = True


class NotHealthy(Exception):
    """The container did not begin to answer; why."""


class ModelProcess:
    """The process of one container; `folder` is its own. It may rest until it is asked."""

    def __init__(
        self,
        engine: Engine,
        order: ServingOrder,
        folder: Path,
        log: Callable[[], Writer],
    ) -> None:
        self.serving = order
        self.folder = folder
        self._engine, self._open_log = engine, log
        self._lock = threading.RLock()
        self._worker: Worker | None = None
        self._log: Writer | None = None
        self._port: int | None = None
        self._pools: dict[asyncio.AbstractEventLoop, Connections] = {}
        self._stopped = False
        self._resting = True
        self._served = False
        self._reason: str | None = None
        self._deaths = 0
        self._missed_pings = 0
        # Names of models that a multi-model container holds, least recently used first
        self.loaded: dict[str, None] = {}

    @property
    def pid(self) -> int | None:
        worker = self._worker
        return worker.pid if worker else None

    @property
    def is_ready(self) -> bool:
        return self._port is not None

    def start(self) -> None:
        """Start it, unless it runs already or is stopped for good."""
        with self._lock:
            if self._worker is not None or self._stopped or self._engine.is_closed:
                return
            self._resting, self._served, self._reason = False, False, None
            self._worker = self._engine.serve(self)

    def wait_ready(self, seconds: float) -> None:
        """
        Raises:
            NotHealthy: it does not answer within the time, or cannot.
        """
        deadline = time.monotonic() + seconds
        while not self.is_ready:
            if self._reason is not None:
                raise NotHealthy(self._reason)
            if time.monotonic() > deadline:
                raise NotHealthy(f"it did not answer within {seconds:g} s")
            time.sleep(_LOOK_SECONDS)

    async def connections(self) -> Connections:
        """Connections of this event loop to the process, which is started if it rests.

        Waits as long as the caller does: a process that died is being started again.

        Raises:
            NotHealthy: it is stopped, or cannot be started.
        """
        loop = asyncio.get_running_loop()
        while (port := self._port) is None:
            if self._stopped:
                raise NotHealthy("it was stopped")
            if self._reason is not None:
                raise NotHealthy(self._reason)
            if self._resting:
                await loop.run_in_executor(None, self.start)
            await asyncio.sleep(_LOOK_SECONDS)
        pool = self._pools.get(loop)
        if pool is None:
            pool = self._pools[loop] = Connections(port)
        return pool

    def lost(self, connections: Connections) -> None:
        """Its process did not answer on these connections: they are of no more use if it died."""
        worker = self._worker
        if worker is not None and not worker.is_alive:
            with self._lock:
                if self._pools.get(asyncio.get_running_loop()) is connections:
                    self._port = None

    def look(self) -> None:
        """See after it: one that could not be started is tried anew, one that hangs is killed."""
        if self._reason is not None:
            self.start()
        else:
            self._ping()

    def rest(self) -> None:
        """End the process until it is asked again."""
        with self._lock:
            self._resting = True
            self._end()

    def stop(self) -> None:
        """End the process for good; 30 s after SIGTERM it is killed."""
        with self._lock:
            self._stopped = True
            self._end()

    def order(self) -> Mapping[str, Any]:
        with self._lock:
            if self._stopped:
                return {"work": NOTHING}
            if self._log is None:
                self._log = self._open_log()
        return {
            "work": "serving",
            "folder": str(self.folder),
            "model": str(self.serving.model),
            "algorithm": self.serving.algorithm,
            "environment": self.serving.environment,
        }

    def line(self, text: str) -> None:
        if self._log:
            self._log.write(text)

    def event(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "serving":
            with self._lock:
                self._pools, self._missed_pings, self._deaths = {}, 0, 0
                self.loaded, self._served = {}, True
                self._port = event["port"]
        elif event["event"] == "failed":
            self._reason = event["reason"]

    def ended(self, end: Exit) -> None:
        with self._lock:
            served, self._port, self._worker = self._served, None, None
            if self._stopped and self._log:
                self._log.close()
            if self._stopped or self._resting or self._engine.is_closed or self._reason:
                return
            self._deaths = 1 if served else self._deaths + 1
            why = end.reason or f"the process {end.told()}"
            self.line(f"The container ended: {why}")
            if self._deaths > _MOST_STARTS:
                self._reason = why
                return
            pause = 0.0 if served else min(2.0**self._deaths, _LONGEST_PAUSE_SECONDS)
        timer = threading.Timer(pause, self.start)
        timer.daemon = True
        timer.start()

    def _ping(self) -> None:
        port, worker = self._port, self._worker
        if port is None or worker is None:
            return
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PING_SECONDS)
        try:
            connection.request("GET", "/ping")
            answered = connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            answered = False
        finally:
            connection.close()
        self._missed_pings = 0 if answered else self._missed_pings + 1
        if self._missed_pings >= 3:
            worker.kill("it did not answer three pings")

    def _end(self) -> None:
        worker, self._port = self._worker, None
        if worker is None:
            if self._stopped and self._log:
                self._log.close()
            return
        worker.terminate()
        threading.Thread(target=_killed_later, args=(worker,), daemon=True).start()


def _killed_later(worker: Worker) -> None:
    with suppress(OSError):
        if not worker.wait(_GRACE_SECONDS):
            worker.kill("it did not end within 30 seconds after SIGTERM")
