from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clary.data.contents import Contents
from clary.data.feeder import Feeder, leave_failure
from clary.data.pipes import PipeChannel
from clary.errors import CallerError
from tests.data.channels import SUPERVISED, UNSUPERVISED

_ROWS = [f"{number},{number + 1},{number + 2}" for number in range(50_000)]


def _bytes(epoch: int) -> bytes:
    return "\n".join(f"{epoch},{row}" for row in _ROWS).encode() + b"\n"


@pytest.fixture
def feeder(tmp_path: Path) -> Iterator[Feeder]:
    made = Feeder(tmp_path, "train", lambda epoch: (piece for piece in [_bytes(epoch)]))
    yield made
    made.close()


def _channel(folder: Path, **changes: float) -> PipeChannel:
    return PipeChannel("train", folder, Contents(SUPERVISED), **changes)  # type: ignore[arg-type]


def test_each_epoch_comes_from_its_own_pipe(feeder: Feeder, tmp_path: Path) -> None:
    channel = _channel(tmp_path)
    for epoch in range(3):
        batches = list(channel.batches(7_000, epoch))
        assert [batch.rows for batch in batches] == [7_000] * 7 + [1_000]
        assert all((batch.labels() == epoch).all() for batch in batches)


def test_an_epoch_left_early_is_followed_by_the_next(feeder: Feeder, tmp_path: Path) -> None:
    channel = _channel(tmp_path)
    assert channel.width == 3
    batches = channel.batches(100, 0)
    next(batches)
    assert next(channel.batches(100, 1)).labels()[0] == 1
    assert next(channel.batches(100, 4)).labels()[0] == 4
    channel.close()


def test_an_epoch_can_be_read_only_once(feeder: Feeder, tmp_path: Path) -> None:
    channel = _channel(tmp_path)
    next(channel.batches(100, 1))
    for epoch in (0, 1):
        with pytest.raises(RuntimeError, match=f"epoch {epoch} of a pipe can be read only once"):
            next(channel.batches(100, epoch))
    channel.close()


def test_what_was_looked_at_is_not_lost(feeder: Feeder, tmp_path: Path) -> None:
    channel = _channel(tmp_path)
    assert channel.sample(10).rows == 10
    assert channel.read().rows == 50_000


def test_the_intake_counts_what_came_through(feeder: Feeder, tmp_path: Path) -> None:
    channel = _channel(tmp_path)
    channel.read()
    found = channel.intake
    assert (found.files, found.bytes, found.rows) == (None, len(_bytes(0)), 50_000)
    assert str(found) == "a pipe, text/csv (by its first bytes)"


def test_a_pipe_may_appear_late(tmp_path: Path) -> None:
    def lay() -> None:
        time.sleep(0.3)
        os.mkfifo(tmp_path / "train_0")
        time.sleep(0.3)
        (tmp_path / "train_0").write_bytes(b"1,2\n")

    writer = threading.Thread(target=lay)
    writer.start()
    assert _channel(tmp_path).read().rows == 1
    writer.join()


def test_a_pipe_that_does_not_appear_is_named(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match=r"train_0 did not appear in 0\.1 seconds"):
        _channel(tmp_path, timeout_seconds=0.1)


def test_a_pipe_that_nobody_writes_to_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train_0")
    with pytest.raises(CallerError, match=r"nobody wrote to the pipe .*train_0 in 0\.1 seconds"):
        _channel(tmp_path, timeout_seconds=0.1)


def test_a_pipe_without_bytes_is_refused(tmp_path: Path) -> None:
    made = Feeder(tmp_path, "train", lambda epoch: (piece for piece in list[bytes]()))
    with pytest.raises(CallerError, match="no bytes came through its pipe"):
        _channel(tmp_path)
    made.close()


def test_a_feeder_that_breaks_down_fails_the_epoch(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield _bytes(0)
        raise CallerError.of("s3://b/x", "there is no such object")

    made = Feeder(tmp_path, "train", lambda epoch: (piece for piece in chunks()))
    channel = _channel(tmp_path)
    with pytest.raises(CallerError, match="channel train: s3://b/x: there is no such object"):
        channel.read()
    made.close()


def test_a_reader_that_waits_for_the_next_pipe_hears_of_a_breakdown(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train_0")
    writer = threading.Thread(target=lambda: (tmp_path / "train_0").write_bytes(_bytes(0)))
    writer.start()
    channel = _channel(tmp_path)
    channel.read()
    writer.join()
    leave_failure(tmp_path, "train", CallerError.of("s3://b/x", "is gone"))
    with pytest.raises(CallerError, match="s3://b/x: is gone"):
        next(channel.batches(10, 1))


def test_parquet_is_refused(tmp_path: Path) -> None:
    made = Feeder(tmp_path, "train", lambda epoch: (piece for piece in [b"PAR1" + bytes(100)]))
    contents = Contents(UNSUPERVISED, "application/x-parquet")
    with pytest.raises(CallerError, match="Parquet cannot be read from a pipe"):
        PipeChannel("train", tmp_path, contents)
    made.close()


def test_libsvm_needs_a_width_where_all_rows_must_have_one(tmp_path: Path) -> None:
    made = Feeder(tmp_path, "train", lambda epoch: (piece for piece in [b"1 0:1 3:1\n"]))
    with pytest.raises(CallerError, match=r"how many features.*Give feature_dim"):
        PipeChannel("train", tmp_path, Contents(SUPERVISED, one_width=True))
    made.close()
    made = Feeder(tmp_path, "train", lambda epoch: (piece for piece in [b"1 0:1 3:1\n"]))
    channel = PipeChannel("train", tmp_path, Contents(SUPERVISED, width=5, one_width=True))
    assert channel.read().width == 5
    made.close()
