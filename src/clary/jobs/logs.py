"""Logs as CloudWatch's clients read them: groups of streams of lines, kept in plain files.

A line of a file is `milliseconds text`; the text of a log line has no line break.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clary.db.resources import milliseconds
from clary.errors import CallerError
from clary.storage.folder import inside

_SUFFIX = ".log"
# As much as CloudWatch takes of one event
_LONGEST = 256 * 1024


@dataclass(frozen=True)
class Line:
    """One event of a stream: when it came (milliseconds of the epoch), what it says."""

    time: int
    text: str


@dataclass(frozen=True)
class Stream:
    """A stream's name and the times, in milliseconds, of its making, first and last event."""

    name: str
    created: int
    first: int | None
    last: int | None
    bytes: int


class Logs:
    """All logs below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def writer(self, group: str, stream: str) -> Writer:
        """Appends to a stream, which is there from now on."""
        path = self._path(group, stream)
        path.parent.mkdir(parents=True, exist_ok=True)
        return Writer(path.open("ab"))

    def groups(self) -> list[str]:
        """The groups that have a stream, sorted."""
        return sorted(
            f"/aws/sagemaker/{path.parent.name}/{path.name}"
            if path.parent.name == "Endpoints"
            else f"/aws/sagemaker/{path.name}"
            for path in self._group_folders()
        )

    def streams(self, group: str) -> list[Stream]:
        """The streams of a group by name; none if there is no such group."""
        folder = self._path(group, "x").parent
        found = [
            _described(path, path.relative_to(folder).as_posix().removesuffix(_SUFFIX))
            for path in folder.rglob(f"*{_SUFFIX}")
        ]
        return sorted(found, key=lambda stream: stream.name)

    def has(self, group: str, stream: str) -> bool:
        return self._path(group, stream).is_file()

    def lines(self, group: str, stream: str, start: int = 0) -> Iterator[tuple[int, Line]]:
        """The whole lines of a stream from a byte on, each with the byte where the next begins."""
        path = self._path(group, stream)
        if not path.is_file():
            return
        with path.open("rb") as file:
            file.seek(start)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return
                start += len(raw)
                yield start, _line(raw)

    def tail(self, group: str, stream: str, most_bytes: int) -> list[Line]:
        """The last whole lines of a stream, as many as fit; none if there is no such stream."""
        path = self._path(group, stream)
        if not path.is_file():
            return []
        start = path.stat().st_size - most_bytes
        if start <= 0:
            return [line for _, line in self.lines(group, stream)]
        # One byte earlier, so that a line that begins just there is not taken for cut
        return [line for _, line in self.lines(group, stream, start - 1)][1:]

    def _path(self, group: str, stream: str) -> Path:
        try:
            return inside(self._folder, f"{group.strip('/')}/{stream}{_SUFFIX}")
        except (CallerError, ValueError) as error:
            raise CallerError.of("log stream", "its name is no path", stream) from error

    def _group_folders(self) -> Iterator[Path]:
        for folder in (self._folder / "aws" / "sagemaker").glob("*"):
            if folder.name == "Endpoints":
                yield from folder.iterdir()
            elif folder.is_dir():
                yield folder


class Writer:
    """Appends lines to one stream; from several threads, if need be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()

    def write(self, text: str, time: int | None = None) -> None:
        """One line, with the time it came: now, if none is given."""
        # str.splitlines would also break at characters that are no line breaks of a log
        bare = text.rstrip("\r\n").replace("\n", " ").replace("\r", " ")[:_LONGEST]
        when = milliseconds() if time is None else time
        with self._lock:
            self._file.write(f"{when} {bare}\n".encode("utf-8", "replace"))
            self._file.flush()

    def close(self) -> None:
        self._file.close()


def _line(raw: bytes) -> Line:
    when, _, text = raw.decode("utf-8", "replace").rstrip("\n").partition(" ")
    return Line(int(when) if when.isdecimal() else 0, text)


def _described(path: Path, name: str) -> Stream:
    facts = path.stat()
    with path.open("rb") as file:
        first = file.readline()
        file.seek(max(0, facts.st_size - 2 * _LONGEST))
        lines = file.readlines()
    created = round(facts.st_ctime * 1000)
    begin = _line(first).time if first else None
    last = _line(lines[-1]).time if lines else None
    return Stream(name, begin or created, begin, last, facts.st_size)
