"""A training's log in SageMaker's form, and the history of its metrics."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from clary.kit.run import Reporter, Silent
from clary.spec.algorithm import Algorithm
from clary.spec.hyperparameters import Hyperparameters

# XGBoost's image prints its rounds bare
_BARE = re.compile(r"\[[0-9]+\]#011")
_NUMBER = re.compile(r"[-+]?([0-9.]+(e[-+]?[0-9]+)?|inf|nan)")
_EPOCH = re.compile(r"epoch=([0-9]+)|^\[([0-9]+)\]")
_PREFIX = re.compile(r"\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d [A-Z]+ \d+\] ")


class Log:
    """Writes every line to a stream as it comes, tells a listener, and keeps the metrics."""

    def __init__(self, stream: TextIO, listener: Reporter | None = None) -> None:
        self._stream = stream
        self._listener = listener or Silent()
        self._lock = threading.Lock()
        self.history: dict[str, list[tuple[int | None, float]]] = {}

    def log(self, line: str) -> None:
        self.write(line)

    def metric(self, name: str, value: float, epoch: int | None) -> None:
        self.history.setdefault(name, []).append((epoch, value))
        self._listener.metric(name, value, epoch)

    def write(self, text: str, level: str = "INFO") -> None:
        """One or more lines, each with time, level and thread before it."""
        for line in text.splitlines():
            self._stream.write((line if _BARE.match(line) else _prefix(level) + line) + "\n")
            self._listener.log(line)
        self._stream.flush()

    def relay(self, line: str, bare: str) -> None:
        """A line of another log, as it is there; `bare` is for the listener."""
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()
            self._listener.log(bare)

    def start(self, given: Mapping[str, Any], params: Hyperparameters) -> None:
        """The lines that SageMaker's algorithms begin with."""
        defaults = {
            name: str(one.default)
            for name, one in params.declared().items()
            if one.default is not None
        }
        self.write(f"Reading default configuration: {defaults}")
        self.write(f"Merging with provided configuration: {dict(given)}")
        final = {name: str(value) for name, value in params.values().items() if value is not None}
        self.write(f"Final configuration: {final}")
        ignored = [name for name in given if name not in final and params.is_ignored(name)]
        if ignored:
            self.write(f"Without effect here: {', '.join(ignored)}")


class Relay:
    """Puts the lines of a host's own log into this one.

    Metrics are found in the leader's lines by their regular expressions, as SageMaker does.
    """

    def __init__(self, log: Log, algorithm: Algorithm, host: str, leader: str) -> None:
        self._log = log
        self._metrics = algorithm.metrics if host == leader else ()
        self._mark = "" if host == leader else f"{host} | "

    def line(self, line: str) -> None:
        bare = _PREFIX.sub("", line, count=1)
        self._log.relay(self._mark + line, self._mark + bare)
        for metric in self._metrics:
            found = re.search(metric.regex, bare)
            # XGBoost's regexes run on through the line's other metrics
            value = _NUMBER.fullmatch(found[1].partition("#011")[0]) if found else None
            if value:
                epoch = _EPOCH.search(bare)
                number = int(epoch[1] or epoch[2]) if epoch else None
                self._log.metric(metric.name, float(value[0]), number)


def _prefix(level: str) -> str:
    return f"[{datetime.now(UTC):%m/%d/%Y %H:%M:%S} {level} {threading.get_ident()}] "
