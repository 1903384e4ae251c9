from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from clary.data.feeder import (
    Feeder,
    FilePipes,
    failure_path,
    leave_failure,
    pipe_path,
    raise_failure,
)
from clary.errors import CallerError
from clary.storage.folder import FolderStore
from clary.storage.location import Location
from tests.storage.disk import names_in

# Longer than a pipe can hold, so that a writer has to wait for its reader.
_LONG = random.Random(0).randbytes(5_000_000)
# Closing is a matter of milliseconds; this is for a machine that is busy with other things.
_SOON_SECONDS = 20


def _epoch_bytes(epoch: int) -> bytes:
    return f"epoch {epoch}: ".encode() + _LONG


def _chunks(epoch: int) -> Generator[bytes, None, None]:
    data = io.BytesIO(_epoch_bytes(epoch))
    while chunk := data.read(100_000):
        yield chunk


def _appearing(path: Path) -> Path:
    for _ in range(1000):
        if path.exists():
            return path
        time.sleep(0.01)
    raise TimeoutError(path)


@pytest.fixture
def feeder(tmp_path: Path) -> Iterator[Feeder]:
    made = Feeder(tmp_path, "train", _chunks)
    yield made
    made.close()
    assert names_in(tmp_path) == []


def _is_running(channel: str) -> bool:
    return any(thread.name == f"feeder {channel}" for thread in threading.enumerate())


def test_the_first_pipe_is_there_at_once(feeder: Feeder, tmp_path: Path) -> None:
    assert (tmp_path / "train_0").is_fifo()
    assert names_in(tmp_path) == ["train_0"]


def test_epochs_follow_each_other(feeder: Feeder, tmp_path: Path) -> None:
    for epoch in range(3):
        path = _appearing(pipe_path(tmp_path, "train", epoch))
        assert path.read_bytes() == _epoch_bytes(epoch)
    _appearing(tmp_path / "train_3")
    assert not (tmp_path / "train_2").exists()


@pytest.mark.parametrize("read_bytes", [0, 1, 300_000])
def test_a_reader_that_closes_early_gets_the_next_epoch(
    feeder: Feeder, tmp_path: Path, read_bytes: int
) -> None:
    with (tmp_path / "train_0").open("rb") as stream:
        assert stream.read(read_bytes) == _epoch_bytes(0)[:read_bytes]
    assert _appearing(tmp_path / "train_1").read_bytes() == _epoch_bytes(1)


def test_a_killed_reader_is_as_one_that_closed(feeder: Feeder, tmp_path: Path) -> None:
    script = "import sys, time; s = open(sys.argv[1], 'rb'); s.read(1000); print(1, flush=True); "
    command = [sys.executable, "-c", script + "time.sleep(60)", str(tmp_path / "train_0")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        reader.send_signal(signal.SIGKILL)
    assert _appearing(tmp_path / "train_1").read_bytes() == _epoch_bytes(1)


def test_closing_does_not_wait_for_a_reader(tmp_path: Path) -> None:
    made = Feeder(tmp_path, "unread", _chunks)
    start = time.monotonic()
    made.close()
    assert time.monotonic() - start < _SOON_SECONDS
    assert not _is_running("unread")
    assert names_in(tmp_path) == []


def test_closing_does_not_wait_for_a_reader_that_stalls(tmp_path: Path) -> None:
    made = Feeder(tmp_path, "stalled", _chunks)
    with (tmp_path / "stalled_0").open("rb") as stream:
        stream.read(1)
        start = time.monotonic()
        made.close()
        assert time.monotonic() - start < _SOON_SECONDS
    assert not _is_running("stalled")
    assert names_in(tmp_path) == []


def _failing(error: Exception) -> Generator[bytes, None, None]:
    yield b"some"
    raise error


def test_a_failure_of_the_users_is_left_for_the_reader(tmp_path: Path) -> None:
    error = CallerError.of("s3://b/x", "there is no such object")
    made = Feeder(tmp_path, "train", lambda epoch: _failing(error))
    # The bytes end as if they were all there, so the reason must be there before.
    assert (tmp_path / "train_0").read_bytes() == b"some"
    with pytest.raises(CallerError, match="channel train: s3://b/x: there is no such object"):
        raise_failure(tmp_path, "train")
    made.close()
    assert made.failure is error


def test_a_failure_of_ours_is_not_the_users(tmp_path: Path) -> None:
    made = Feeder(tmp_path, "train", lambda epoch: _failing(ZeroDivisionError()))
    (tmp_path / "train_0").read_bytes()
    with pytest.raises(RuntimeError, match="channel train: ZeroDivisionError"):
        raise_failure(tmp_path, "train")
    made.close()


def test_what_a_killed_feeder_left_is_cleared_away(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train_0")
    leave_failure(tmp_path, "train", ZeroDivisionError())
    made = Feeder(tmp_path, "train", _chunks)
    assert (tmp_path / "train_0").read_bytes() == _epoch_bytes(0)
    raise_failure(tmp_path, "train")
    made.close()
    assert names_in(tmp_path) == []


def test_no_failure_is_no_error(tmp_path: Path) -> None:
    raise_failure(tmp_path, "train")
    assert not failure_path(tmp_path, "train").exists()


class _Objects(FolderStore):
    """Objects that are not files, as S3's are: made of their keys."""

    def open(self, key: str) -> BinaryIO:
        if key == "broken":
            raise CallerError.of(key, "there is no such object")
        return io.BytesIO(_object_bytes(key))


def _object_bytes(key: str) -> bytes:
    return key.encode() + _LONG


@pytest.fixture
def files(tmp_path: Path) -> Iterator[list[Path]]:
    folder = tmp_path / "train"
    folder.mkdir()
    paths = [folder / f"{number:02}" for number in range(40)]
    store = _Objects(Path())
    made = FilePipes(
        tmp_path,
        "train",
        {path: Location(store, path.name) for path in [*paths, folder / "broken"]},
    )
    yield paths
    made.close()
    assert names_in(folder) == []


def test_files_are_filled_in_any_order_as_often_as_they_are_opened(files: list[Path]) -> None:
    for path in [files[0], files[1], files[39], files[7], files[7], files[0]]:
        assert path.read_bytes() == _object_bytes(path.name)


def test_a_file_that_is_opened_again_starts_from_the_beginning(files: list[Path]) -> None:
    for _ in range(50):
        with files[5].open("rb") as stream:
            assert stream.read(10) == _object_bytes("05")[:10]
    assert files[5].read_bytes() == _object_bytes("05")


def test_several_files_can_be_read_at_once(files: list[Path]) -> None:
    with files[3].open("rb") as third, files[20].open("rb") as twentieth:
        assert third.read(5) + twentieth.read(5) == b"03" + _LONG[:3] + b"20" + _LONG[:3]
        assert third.read() == _LONG[3:]
        assert twentieth.read() == _LONG[3:]


def test_a_file_that_cannot_be_filled_leaves_the_reason(files: list[Path], tmp_path: Path) -> None:
    assert (tmp_path / "train/broken").read_bytes() == b""
    with pytest.raises(CallerError, match="channel train: broken: there is no such object"):
        raise_failure(tmp_path, "train")


def test_closing_does_not_wait_for_readers_of_files(tmp_path: Path) -> None:
    made = FilePipes(tmp_path, "train", {tmp_path / "x": Location(_Objects(Path()), "x")})
    with (tmp_path / "x").open("rb") as stream:
        stream.read(1)
        start = time.monotonic()
        made.close()
        assert time.monotonic() - start < _SOON_SECONDS
    assert names_in(tmp_path) == []
