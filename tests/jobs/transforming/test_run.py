"""The run of a transform with containers that answer as the test wants."""

from __future__ import annotations

import gzip
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from clary.data.sources import Source, resolve
from clary.errors import CallerError
from clary.jobs.transforming.containers import Container, Pipeline
from clary.jobs.transforming.request import Transform
from clary.jobs.transforming.run import Stopped, TransformRun
from clary.settings import serving
from clary.storage.folder import FolderStore
from clary.storage.location import Stores

MIB = 1024 * 1024


class Told:
    """A container that answers with a function of the body."""

    def __init__(self, reply: Callable[[bytes], bytes]) -> None:
        self.serving = serving()
        self._reply = reply

    def answer(self, body: bytes, content_type: Any, accept: Any) -> tuple[bytes, str]:
        return self._reply(body), "text/csv"


class Work:
    """One folder's transform; `outputs` after it."""

    def __init__(self, folder: Path, reply: Callable[[bytes], bytes], **members: Any) -> None:
        self.folder, self.stop = folder, threading.Event()
        store = FolderStore(folder / "out")
        (folder / "scratch").mkdir()
        asked = {"TransformInput": {"SplitType": "Line"}, "TransformOutput": {}, **members}
        self.run = TransformRun(
            Transform.of(asked),
            Pipeline([cast(Container, Told(reply))]),
            store.put,
            folder / "scratch",
            self.stop,
        )

    def faults(self) -> dict[str, str]:
        items = resolve(Source("INPUT", str(self.folder / "in")), Stores())
        return {name: str(fault) for name, fault in self.run.over(items) if fault}

    def outputs(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / "out").iterdir()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name, text in (("a", b"1\n2\n3\n"), ("b", b"4\n5\n"), ("c", b"6\n")):
        (tmp_path / "in" / name).write_bytes(text)
    return tmp_path


def echoed(body: bytes) -> bytes:
    return body + b";"


def test_answers_keep_their_order_though_later_ones_come_first(folder: Path) -> None:
    def slower_for_less(body: bytes) -> bytes:
        time.sleep(0.02 * (7 - int(body)))
        return body

    work = Work(folder, slower_for_less, MaxConcurrentTransforms=4, BatchStrategy="SingleRecord")
    assert work.faults() == {}
    assert work.outputs() == {"a": b"123", "b": b"45", "c": b"6"}


def test_so_many_requests_are_made_at_once_and_no_more(folder: Path) -> None:
    (folder / "in" / "a").write_bytes(b"1\n" * 40)
    now, most, lock = [0], [0], threading.Lock()

    def counted(body: bytes) -> bytes:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1
        return b""

    work = Work(folder, counted, MaxConcurrentTransforms=3, BatchStrategy="SingleRecord")
    assert work.faults() == {}
    assert most == [3]


def test_a_refused_request_drops_its_object_and_is_not_made_again(folder: Path) -> None:
    asked = []

    def refusing(body: bytes) -> bytes:
        asked.append(body)
        if body == b"4":
            raise CallerError.of("request body", "is bad")
        return body

    work = Work(folder, refusing, MaxConcurrentTransforms=1, BatchStrategy="SingleRecord")
    assert work.faults() == {"b": "request body: is bad"}
    assert work.outputs() == {"a": b"123", "c": b"6"}
    assert asked.count(b"4") == 1


@pytest.mark.parametrize(("retries", "faults"), [(2, []), (1, ["b"])])
def test_a_container_s_own_fault_is_tried_again(
    folder: Path, retries: int, faults: list[str]
) -> None:
    failures = {b"4\n5": 2}

    def failing(body: bytes) -> bytes:
        if failures.get(body):
            failures[body] -= 1
            raise RuntimeError("out of order")
        return body

    work = Work(folder, failing, ModelClientConfig={"InvocationsMaxRetries": retries})
    told = work.faults()
    assert list(told) == faults
    assert all("out of order" in reason for reason in told.values())


def test_a_request_that_does_not_end_is_given_up(folder: Path) -> None:
    free = threading.Event()

    def hanging(body: bytes) -> bytes:
        if body == b"4\n5":
            free.wait(20)
        return body

    client = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 1}
    work = Work(folder, hanging, ModelClientConfig=client, MaxConcurrentTransforms=1)
    assert work.faults() == {"b": "container: must answer within 1 s"}
    assert work.outputs() == {"a": b"1\n2\n3", "c": b"6"}
    assert work.run.hangs
    free.set()


def test_a_run_that_is_stopped_leaves_whole_outputs_only(folder: Path) -> None:
    def stopping(body: bytes) -> bytes:
        if body == b"5":
            work.stop.set()
        return body

    work = Work(folder, stopping, MaxConcurrentTransforms=1, BatchStrategy="SingleRecord")
    with pytest.raises(Stopped):
        work.faults()
    assert work.outputs() == {"a": b"123"}
    assert list((folder / "scratch").iterdir()) == []


def test_a_line_too_long_drops_its_object(folder: Path) -> None:
    (folder / "in" / "b").write_bytes(b"1\n" + b"x" * (MIB + 1) + b"\n")
    faults = Work(folder, echoed, MaxPayloadInMB=1).faults()
    assert list(faults) == ["b"]
    assert "must fit into a request of 1,048,576 bytes" in faults["b"]


def test_an_empty_object_of_lines_has_an_empty_output(folder: Path) -> None:
    (folder / "in" / "b").write_bytes(b"")
    work = Work(folder, echoed)
    assert work.faults() == {}
    assert work.outputs()["b"] == b""


def test_damaged_gzip_is_told_and_whole_gzip_read(folder: Path) -> None:
    data = gzip.compress(b"1\n2\n")
    (folder / "in" / "a").write_bytes(data)
    (folder / "in" / "b").write_bytes(data[:-6])
    (folder / "in" / "c").write_bytes(b"6\n")
    work = Work(folder, echoed, TransformInput={"SplitType": "Line", "CompressionType": "Gzip"})
    assert sorted(work.faults()) == ["b", "c"]
    assert work.outputs() == {"a": b"1\n2;"}


def test_a_large_object_takes_little_memory(folder: Path) -> None:
    with (folder / "in" / "a").open("wb") as out:
        for _ in range(64):
            out.write(b"1,2,3,4,5,6,7\n" * (MIB // 14))
    work = Work(folder, lambda body: body, MaxPayloadInMB=1, MaxConcurrentTransforms=2)
    tracemalloc.start()
    try:
        assert work.faults() == {}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A few requests of 1 MiB each, not the 64 MiB of the object
    assert peak < 16 * MIB
