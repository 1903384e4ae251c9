"""Logs: what is written is read, line by line, while it is written."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clary.errors import CallerError
from clary.jobs.logs import Line, Logs

GROUP = "/aws/sagemaker/TrainingJobs"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=50), max_size=5))
def test_every_text_comes_back_on_one_line(tmp_path: Path, texts: list[str]) -> None:
    # A new stream for each example, whatever hypothesis repeats
    logs, name = Logs(tmp_path), uuid4()
    writer = logs.writer(GROUP, f"job/{name}")
    for number, text in enumerate(texts):
        writer.write(text, number)
    writer.close()
    found = [line for _, line in logs.lines(GROUP, f"job/{name}")]
    assert [line.time for line in found] == list(range(len(texts)))
    for text, line in zip(texts, found, strict=True):
        flat = text.rstrip("\r\n").replace("\n", " ").replace("\r", " ")
        assert line.text == flat.encode("utf-8", "replace").decode()


def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    writer = logs.writer(GROUP, "job/algo-1")
    writer.write("one", 1)
    ((place, _),) = logs.lines(GROUP, "job/algo-1")
    writer.write("two", 2)
    assert [line for _, line in logs.lines(GROUP, "job/algo-1", place)] == [Line(2, "two")]


def test_half_a_line_is_not_read_yet(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    logs.writer(GROUP, "job/algo-1").write("one", 1)
    (path,) = tmp_path.rglob("*.log")
    with path.open("ab") as file:
        file.write(b"2 tw")
    assert [line.text for _, line in logs.lines(GROUP, "job/algo-1")] == ["one"]


def test_streams_are_told_with_their_times(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    for name in ("b/algo-1", "a/algo-2", "a/algo-1"):
        writer = logs.writer(GROUP, name)
        writer.write("first", 10)
        writer.write("last", 20)
    streams = logs.streams(GROUP)
    assert [stream.name for stream in streams] == ["a/algo-1", "a/algo-2", "b/algo-1"]
    assert {(stream.first, stream.last) for stream in streams} == {(10, 20)}
    assert logs.streams("/aws/sagemaker/Nothing") == []


def test_an_endpoints_group_is_one_deeper(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    logs.writer("/aws/sagemaker/Endpoints/mine", "AllTraffic/1").write("x")
    logs.writer(GROUP, "job/algo-1").write("x")
    assert logs.groups() == ["/aws/sagemaker/Endpoints/mine", GROUP]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/../../b", "a\0b"])
def test_names_that_climb_out_are_refused(tmp_path: Path, name: str) -> None:
    logs = Logs(tmp_path / "logs")
    with pytest.raises(CallerError):
        logs.writer(GROUP, name)
    with pytest.raises(CallerError):
        logs.has(f"/{name}", "x")


def test_a_tail_holds_whole_lines_only(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    writer = logs.writer("/aws/sagemaker/TrainingJobs", "job/algo-1-1")
    for at in range(10):
        writer.write(f"line {at}", time=1000 + at)
    writer.close()
    each = len("1000 line 0\n")
    for most, expected in ((3 * each, 3), (3 * each + 5, 3), (3 * each - 1, 2), (100 * each, 10)):
        found = logs.tail("/aws/sagemaker/TrainingJobs", "job/algo-1-1", most)
        assert [line.text for line in found] == [f"line {at}" for at in range(10 - expected, 10)]
    assert logs.tail("/aws/sagemaker/TrainingJobs", "job/algo-9-1", 100) == []
