"""Metrics found in the lines of a log by regular expressions, as SageMaker finds them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from clary.jobs.worker import Tell

# XGBoost's regexes run on through the line's other metrics
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_SEND_SECONDS = 0.5


class ScrapedLog:
    """A text stream that passes lines on, and tells the values of metrics in them.

    It is run in the worker: a regular expression that takes for ever is the job's own loss.
    """

    def __init__(
        self, stream: TextIO, definitions: Iterable[Mapping[str, str]], tell: Tell
    ) -> None:
        self._stream, self._tell = stream, tell
        self._definitions = [(one["Name"], re.compile(one["Regex"])) for one in definitions]
        self._values: list[Sequence[Any]] = []
        self._sent = 0

    def write(self, text: str) -> int:
        self._stream.write(text)
        now = time.time_ns() // 1_000_000
        for line in text.splitlines():
            self._values += [(name, now, value) for name, value in self._found(line)]
        if now - self._sent > 1000 * _SEND_SECONDS:
            self.send()
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def send(self) -> None:
        """Tell the values that were found since the last time."""
        self._sent = time.time_ns() // 1_000_000
        if self._values:
            self._tell(event="metrics", values=self._values)
            self._values = []

    def _found(self, line: str) -> Iterable[tuple[str, float]]:
        for name, regex in self._definitions:
            match = regex.search(line)
            number = _NUMBER.match(match[1] or "") if match and regex.groups else None
            if number:
                yield name, float(number[0])
