"""The writing side of Pipe and FastFile: threads that put bytes into named pipes."""

from __future__ import annotations

import fcntl
import itertools
import os
import select
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread

from clary.data.streams import BUFFER_BYTES
from clary.errors import CallerError
from clary.storage.folder import temporary_sibling, whole_file
from clary.storage.location import Location

_PATIENCE_SECONDS = 5.0
_FULL_PIPE_MILLISECONDS = 200
# Seconds between looks for readers, soon after one came and later.
_QUICK = 0.001
_IDLE = 0.02
_QUICK_ROUNDS = 500
_LIKELY_NEXT = 8


def pipe_path(folder: Path, channel: str, epoch: int) -> Path:
    """Where the container contract has a channel's pipe: `<channel>_<epoch>`."""
    return folder / f"{channel}_{epoch}"


def failure_path(folder: Path, channel: str) -> Path:
    """Where a feeder that fails leaves the reason, for readers to tell an end from a breakdown."""
    return folder / f".{channel}.failure"


class Feeder:
    """Feeds a channel's pipes, one epoch after another, until closed.

    The pipe of epoch 0 is there when the constructor returns, each next one when its forerunner
    was read to the end or closed early.
    """

    def __init__(
        self, folder: Path, channel: str, chunks: Callable[[int], Generator[bytes, None, None]]
    ) -> None:
        """`chunks` gives the bytes of an epoch."""
        self.failure: Exception | None = None
        self._folder = folder
        self._channel = channel
        self._chunks = chunks
        self._stopping = Event()
        self._current = pipe_path(folder, channel, 0)
        failure_path(folder, channel).unlink(missing_ok=True)
        _make_pipe(self._current)
        self._thread = Thread(target=self._run, name=f"feeder {channel}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, whatever the reader does, and remove the pipe."""
        self._stopping.set()
        for _ in range(int(_PATIENCE_SECONDS / 0.05)):
            # A reader of our own lets a thread go that waits for one.
            with suppress(OSError):
                os.close(os.open(self._current, os.O_RDONLY | os.O_NONBLOCK))
            self._thread.join(0.05)
            if not self._thread.is_alive():
                break
        self._current.unlink(missing_ok=True)

    def _run(self) -> None:
        try:
            for epoch in itertools.count():
                self._feed(epoch)
                if self._stopping.is_set():
                    return
        except Exception as error:
            self.failure = error
            self._current.unlink(missing_ok=True)

    def _feed(self, epoch: int) -> None:
        pipe = os.open(self._current, os.O_WRONLY)
        try:
            with closing(self._chunks(epoch)) as chunks:
                _pour(chunks, pipe, self._stopping)
            following = pipe_path(self._folder, self._channel, epoch + 1)
            _make_pipe(following)
            self._current.unlink(missing_ok=True)
            self._current = following
        except Exception as error:
            leave_failure(self._folder, self._channel, error)
            raise
        finally:
            os.close(pipe)


class FilePipes:
    """Named pipes in the places of files, each filled from the start whenever someone opens it.

    One reader at a time for each; no seeking, and no size to see.
    """

    def __init__(self, folder: Path, channel: str, files: Mapping[Path, Location]) -> None:
        self.failure: Exception | None = None
        self._folder = folder
        self._channel = channel
        self._files = dict(files)
        self._paths = list(files)
        self._stopping = Event()
        self._pouring: set[Thread] = set()
        failure_path(folder, channel).unlink(missing_ok=True)
        for path in self._paths:
            os.mkfifo(path)
        self._thread = Thread(target=self._run, name=f"files of {channel}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, whatever the readers do, and remove the pipes."""
        self._stopping.set()
        self._thread.join(_PATIENCE_SECONDS)
        for thread in self._pouring:
            thread.join(_PATIENCE_SECONDS)
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _run(self) -> None:
        """Look for readers: at the files after the last one opened often, at the others in turn."""
        turns = itertools.cycle(range(len(self._paths)))
        likely = quiet_rounds = 0
        while not self._stopping.wait(_QUICK if quiet_rounds < _QUICK_ROUNDS else _IDLE):
            quiet_rounds += 1
            self._pouring = {thread for thread in self._pouring if thread.is_alive()}
            nearby = range(likely, min(likely + _LIKELY_NEXT, len(self._paths)))
            for index in {*nearby, *itertools.islice(turns, _LIKELY_NEXT)}:
                if self._serve(self._paths[index]):
                    likely, quiet_rounds = index + 1, 0
            if self._pouring:
                quiet_rounds = 0

    def _serve(self, path: Path) -> bool:
        try:
            pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            # ENXIO: nobody reads.
            return False
        # The next reader finds a pipe of its own, not the middle of this one's bytes.
        fresh = temporary_sibling(path)
        os.mkfifo(fresh)
        fresh.replace(path)
        thread = Thread(target=self._pour, args=(path, pipe), daemon=True)
        self._pouring.add(thread)
        thread.start()
        return True

    def _pour(self, path: Path, pipe: int) -> None:
        try:
            with self._files[path].open() as source:
                _pour(iter(lambda: source.read(BUFFER_BYTES), b""), pipe, self._stopping)
        except Exception as error:
            self.failure = error
            leave_failure(self._folder, self._channel, error)
        finally:
            os.close(pipe)


def leave_failure(folder: Path, channel: str, error: Exception) -> None:
    """Tell the readers of a channel's pipes that their bytes end too early, and why."""
    whose = "ClientError" if isinstance(error, CallerError) else "InternalServerError"
    text = f"{whose}: {str(error) or type(error).__name__}"
    with suppress(OSError, CallerError), whole_file(failure_path(folder, channel)) as out:
        out.write(text.encode())


def raise_failure(folder: Path, channel: str) -> None:
    """Raise what a feeder left as its failure, if it did.

    Raises:
        CallerError: the user can mend it.
        RuntimeError: it is ours.
    """
    try:
        text = failure_path(folder, channel).read_text()
    except FileNotFoundError:
        return
    whose, _, reason = text.partition(": ")
    if whose == "ClientError":
        raise CallerError.of(f"channel {channel}", reason)
    raise RuntimeError(f"channel {channel}: {reason}")


def _make_pipe(path: Path) -> None:
    """A new pipe, also where a killed feeder left one."""
    if path.is_fifo():
        path.unlink()
    os.mkfifo(path)


def _pour(chunks: Iterable[bytes], pipe: int, stopping: Event) -> None:
    """Write until all is written, the reader has gone, or it is time to stop."""
    os.set_blocking(pipe, False)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        # Linux: a megabyte in flight instead of 64 KiB, where the system allows it.
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, BUFFER_BYTES)
    poller = select.poll()
    poller.register(pipe, select.POLLOUT)
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest and not stopping.is_set():
            try:
                rest = rest[os.write(pipe, rest) :]
            except BlockingIOError:
                poller.poll(_FULL_PIPE_MILLISECONDS)
            except BrokenPipeError:
                return
        if stopping.is_set():
            return
