"""The log's form, and logs of other hosts put into it."""

from __future__ import annotations

import io
import re

from clary.runtime.log import Log, Relay
from tests.runtime.column_means import ALGORITHM


class Listener:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.values: list[tuple[str, float, int | None]] = []

    def log(self, line: str) -> None:
        self.lines.append(line)

    def metric(self, name: str, value: float, epoch: int | None) -> None:
        self.values.append((name, value, epoch))


def test_every_line_has_its_prefix_but_the_rounds_of_xgboost() -> None:
    stream, listener = io.StringIO(), Listener()
    log = Log(stream, listener)
    log.log("one\ntwo")
    log.write("three", "ERROR")
    log.log("[0]#011train-rmse:0.25")
    lines = stream.getvalue().splitlines()
    for line, level in zip(lines, ("INFO", "INFO", "ERROR"), strict=False):
        assert re.match(rf"\[\d\d/\d\d/\d{{4}} \d\d:\d\d:\d\d {level} \d+\] (one|two|three)$", line)
    assert lines[3] == "[0]#011train-rmse:0.25"
    assert listener.lines == ["one", "two", "three", "[0]#011train-rmse:0.25"]


def test_metrics_are_kept_in_order_and_told() -> None:
    listener = Listener()
    log = Log(io.StringIO(), listener)
    log.metric("a", 1.0, 0)
    log.metric("b", 5.0, None)
    log.metric("a", 2.0, 1)
    assert log.history == {"a": [(0, 1.0), (1, 2.0)], "b": [(None, 5.0)]}
    assert listener.values == [("a", 1.0, 0), ("b", 5.0, None), ("a", 2.0, 1)]


def test_the_leaders_metrics_are_found_in_its_lines() -> None:
    stream, listener = io.StringIO(), Listener()
    relay = Relay(Log(stream, listener), ALGORITHM, "algo-1", "algo-1")
    line = (
        "[11/22/2026 12:00:01 INFO 14] #quality_metric: host=algo-1, epoch=3, train norm <loss>=1.5"
    )
    relay.line(line)
    relay.line("[11/22/2026 12:00:01 INFO 14] #quality_metric: host=algo-1, test msd <loss>=nan")
    relay.line("[11/22/2026 12:00:01 INFO 14] #quality_metric: host=algo-1, test msd <loss>=many")
    assert stream.getvalue().splitlines()[0] == line
    assert listener.lines[0] == "#quality_metric: host=algo-1, epoch=3, train norm <loss>=1.5"
    assert str(listener.values) == "[('train:norm', 1.5, 3), ('test:msd', nan, None)]"


def test_other_hosts_lines_are_marked_and_their_metrics_are_not_taken() -> None:
    stream, listener = io.StringIO(), Listener()
    relay = Relay(Log(stream, listener), ALGORITHM, "algo-2", "algo-1")
    relay.line("[11/22/2026 12:00:01 INFO 14] #quality_metric: host=algo-2, test msd <loss>=1.0")
    assert stream.getvalue().startswith("algo-2 | [11/22/2026")
    assert listener.values == []
