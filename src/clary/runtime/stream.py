"""A model that follows a stream: a record comes in on a line, its answer goes out on a line.

One record's fault is that record's answer; the stream goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic_core import to_json

from clary.codecs import instances
from clary.codecs.content_type import CSV, JSONLINES
from clary.codecs.reading import Reading
from clary.codecs.rows import RowFault, RowRules
from clary.errors import CallerError
from clary.kit.model import Outputs, StreamModel
from clary.runtime.interruption import Interruption, Stopped

Floats: TypeAlias = npt.NDArray[np.float32]

_LONGEST_LINE = 16 * 1024 * 1024
_SHOWN = 24


@dataclass
class Stream:
    """Scores the records of `source` into `sink` until it ends or the process is to end.

    model: given the width of the first good record, the model that is to follow.
    read, written: content types, text/csv or application/jsonlines; without `read` the first line
        decides.
    kept: called after each record with how many there were.
    """

    source: BinaryIO
    sink: BinaryIO
    model: Callable[[int], StreamModel]
    written: str = JSONLINES
    read: str | None = None
    verbose: bool = False
    kept: Callable[[int], None] = lambda records: None
    records: int = 0
    faults: int = 0
    _following: StreamModel | None = field(default=None, init=False)

    def run(self, interruption: Interruption) -> None:
        """Until the source ends, or a signal comes while nothing is half done."""
        lines = _lines(self.source)
        number = 0
        while not interruption.stopping.is_set():
            try:
                with interruption.waiting():
                    line = next(lines, None)
            except Stopped:
                return
            if line is None:
                return
            number += 1
            if not line.strip():
                continue
            answer = self._answered(line, number)
            self.records += 1
            self.kept(self.records)
            try:
                # The reader may be slow, or gone
                with interruption.waiting():
                    self.sink.write(answer + b"\n")
                    self.sink.flush()
            except Stopped:
                return

    def _answered(self, line: bytes, number: int) -> bytes:
        try:
            if len(line) > _LONGEST_LINE:
                raise CallerError.of("record", f"must be of at most {_LONGEST_LINE:,} bytes")
            row = self._row(line)
            if self._following is None:
                self._following = self.model(len(row))
            told = self._following.follow(row, verbose=self.verbose)
        except CallerError as error:
            self.faults += 1
            return self._fault(f"line {number}: {'; '.join(str(error).splitlines())}")
        return self._told(told)

    def _row(self, line: bytes) -> Floats:
        if self.read is None:
            self.read = JSONLINES if line.lstrip()[:1] in {b"{", b"["} else CSV
        return _json_row(line) if self.read == JSONLINES else _csv_row(line)

    def _told(self, outputs: Outputs) -> bytes:
        named = {name: value.tolist() for name, value in outputs.items()}
        if self.written == JSONLINES:
            return to_json(named)
        return b",".join(to_json(value).strip(b"[]") for value in named.values())

    def _fault(self, text: str) -> bytes:
        if self.written == JSONLINES:
            return to_json({"error": text})
        quoted = text.replace('"', '""')
        return f',"{quoted}"'.encode()


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """Lines without their end; of one that is too long, its first part only."""
    while line := source.readline(_LONGEST_LINE + 1):
        more = line
        while not more.endswith(b"\n") and len(more) > _LONGEST_LINE:
            more = source.readline(_LONGEST_LINE + 1)
        yield line.rstrip(b"\r\n")


def _csv_row(line: bytes) -> Floats:
    fields = line.decode("utf-8", "backslashreplace").split(",")
    values = [_number(text.strip().strip('"'), place) for place, text in enumerate(fields)]
    return _single(values)


def _number(text: str, place: int) -> float:
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
        raise CallerError.of(f"column {place + 1}", "must be a finite number", shown)
    return value


def _json_row(line: bytes) -> Floats:
    try:
        found = instances.parse(line)
    except instances.NotJson as fault:
        raise fault.caller_error(f"column {fault.column}") from None
    if isinstance(found, int | float) and not isinstance(found, bool):
        found = [found]
    instance = {"features": found} if isinstance(found, list) else found
    try:
        batch = instances.rows([instance], RowRules(Reading(label_size=0)))
    except RowFault as fault:
        raise fault.caller_error("record") from None
    row: Floats = batch.dense()[0]
    return row


def _single(values: list[float]) -> Floats:
    """In single precision, in which some numbers are too large."""
    with np.errstate(over="ignore"):
        row = np.array(values, dtype=np.float32)
    if not np.isfinite(row).all():
        place = int(np.flatnonzero(~np.isfinite(row))[0])
        raise CallerError.of(
            f"column {place + 1}", "must be a finite float32 number", values[place]
        )
    return row
