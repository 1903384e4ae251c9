"""The engine runs so many jobs at once, and sees each one's end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from clary.jobs.engine import Engine
from clary.jobs.workers import Exit

ROW = {
    "ChannelName": "train",
    "ContentType": "text/csv",
    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/"}},
}


class Noted:
    """A training whose events are noted."""

    def __init__(self, root: Path, name: str, epochs: int = 1) -> None:
        self.root, self.name, self.epochs = root, name, epochs
        self.lines: list[str] = []
        self.events: list[Mapping[str, Any]] = []
        self.end: Exit | None = None
        self.training, self.over = threading.Event(), threading.Event()

    def order(self) -> Mapping[str, Any]:
        return {
            "work": "training",
            "folder": str(self.root / "jobs" / self.name),
            "buckets": str(self.root / "s3"),
            "algorithm": "kmeans",
            "hyperparameters": {"k": "2", "feature_dim": "2", "epochs": str(self.epochs)},
            "channels": [ROW],
            "input_mode": "File",
            "hosts": 1,
            "instance_type": "ml.m5.large",
            "checkpoints": None,
            "output": f"s3://data/out/{self.name}",
            "compression": "GZIP",
            "metrics": [],
        }

    def line(self, text: str) -> None:
        self.lines.append(text)
        # An epoch is over: there is something to keep
        if "progress_metric" in text:
            self.training.set()

    def event(self, event: Mapping[str, Any]) -> None:
        self.events.append(event)

    def ended(self, end: Exit) -> None:
        self.end = end
        self.over.set()

    @property
    def told(self) -> list[str]:
        return [event["event"] for event in self.events if event["event"] != "phase"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "s3" / "data" / "train").mkdir(parents=True)
    (tmp_path / "s3" / "data" / "train" / "rows.csv").write_text("0,0\n0,1\n5,5\n5,6\n")
    return tmp_path


@pytest.fixture
def engine() -> Iterator[Engine]:
    started = Engine(places=1, memory_bytes=2**62, warm=False)
    started.start()
    yield started
    started.close()


LONG = 10**9


def test_a_job_runs_to_its_end_and_tells_of_it(engine: Engine, root: Path) -> None:
    job = Noted(root, "a")
    engine.submit(("k", "a"), job)
    assert job.over.wait(60)
    assert job.end == Exit(0)
    assert job.told == ["done"]
    assert any("train msd" in line for line in job.lines)
    assert (root / "s3/data/out/a/model.tar.gz").is_file()
    assert not (root / "jobs/a/scratch").exists()


def test_one_waits_while_the_places_are_taken(engine: Engine, root: Path) -> None:
    first, second = Noted(root, "a", LONG), Noted(root, "b")
    engine.submit(("k", "a"), first)
    engine.submit(("k", "b"), second)
    assert not engine.has_place()
    assert first.training.wait(60)
    assert second.events == []
    assert engine.stop(("k", "a"))
    assert second.over.wait(60)
    assert first.told == second.told == ["done"]


def test_one_that_waits_can_be_taken_out(engine: Engine, root: Path) -> None:
    first, second = Noted(root, "a", LONG), Noted(root, "b")
    engine.submit(("k", "a"), first)
    engine.submit(("k", "b"), second)
    assert not engine.stop(("k", "b"))
    engine.stop(("k", "a"))
    assert first.over.wait(60)
    assert second.events == []


def test_one_that_waits_too_long_is_dropped(engine: Engine, root: Path) -> None:
    waited = threading.Event()
    first, second = Noted(root, "a", LONG), Noted(root, "b")
    engine.submit(("k", "a"), first)
    engine.submit(("k", "b"), second, 0.1, waited.set)
    assert waited.wait(30)
    engine.stop(("k", "a"))
    assert first.over.wait(60)
    assert second.events == []


def test_a_killed_worker_is_told_and_its_place_is_free(engine: Engine, root: Path) -> None:
    first, second = Noted(root, "a", LONG), Noted(root, "b")
    engine.submit(("k", "a"), first)
    assert first.training.wait(60)
    os.kill(engine.pids()["k", "a"], signal.SIGKILL)
    engine.submit(("k", "b"), second)
    assert first.over.wait(60)
    assert first.end
    assert first.end.told() == "was ended by signal SIGKILL"
    assert second.over.wait(60)
    assert second.told == ["done"]


def test_a_job_that_outlasts_its_time_is_asked_to_end(engine: Engine, root: Path) -> None:
    job, late = Noted(root, "a", LONG), threading.Event()
    engine.submit(("k", "a"), job)
    assert job.training.wait(60)
    engine.limit(("k", "a"), 0.1, late.set)
    assert job.over.wait(60)
    assert late.is_set()
    assert job.told == ["done"]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_a_job_that_takes_too_much_memory_is_killed_alone(root: Path) -> None:
    engine = Engine(places=2, memory_bytes=1, warm=False)
    engine.start()
    try:
        job = Noted(root, "a", LONG)
        engine.submit(("k", "a"), job)
        assert job.over.wait(60)
        assert job.end
        assert job.end.reason
        assert "more memory" in job.end.reason
    finally:
        engine.close()


def test_workers_end_with_their_engine(root: Path) -> None:
    engine = Engine(places=1, memory_bytes=2**62, warm=True)
    engine.start()
    job = Noted(root, "a", LONG)
    engine.submit(("k", "a"), job)
    assert job.training.wait(60)
    (pid,) = engine.pids().values()
    engine.close()
    assert job.over.wait(10)
    assert not _alive(pid)


def test_a_job_whose_order_cannot_be_made_ends_and_frees_its_place(
    engine: Engine, root: Path
) -> None:
    class Unordered(Noted):
        def order(self) -> Mapping[str, Any]:
            raise OSError("no space left")

    job, following = Unordered(root, "a"), Noted(root, "b")
    engine.submit(("k", "a"), job)
    assert job.over.wait(60)
    assert job.end
    assert job.end.reason == "its order could not be made: OSError: no space left"
    engine.submit(("k", "b"), following)
    assert following.over.wait(60)
    assert following.told == ["done"]


def test_a_fault_of_ours_is_in_the_log_with_its_place(engine: Engine, root: Path) -> None:
    class Wrong(Noted):
        def order(self) -> Mapping[str, Any]:
            return {**super().order(), "hosts": "two"}

    job = Wrong(root, "a")
    engine.submit(("k", "a"), job)
    assert job.over.wait(60)
    assert job.told == ["failed"]
    assert job.events[-1]["reason"].startswith("AlgorithmError: TypeError")
    assert any(line.startswith("Traceback") for line in job.lines)


def test_a_second_worker_of_a_job_waits_until_the_first_is_dead(root: Path) -> None:
    engine = Engine(places=2, memory_bytes=2**62, warm=False)
    engine.start()
    try:
        first, second = Noted(root, "same", LONG), Noted(root, "same")
        engine.submit(("k", "a"), first)
        assert first.training.wait(60)
        engine.submit(("k", "b"), second)
        time.sleep(2)
        assert second.events == []
        os.kill(engine.pids()["k", "a"], signal.SIGKILL)
        assert second.over.wait(60)
        assert second.told == ["done"]
    finally:
        engine.close()


def _alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
