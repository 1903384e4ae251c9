"""Rows of the performance table say what was measured and whether it is enough."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.case import Case
from benchmarks.results import row


def _nothing(folder: Path) -> dict[str, float]:
    return {}


CASE = Case(
    "rows", lambda folder: None, _nothing, _nothing, "peer", "AUC", 1000, "rows", floor=0.8, goal=2
)
OURS = [{"seconds": s, "peak_bytes": 2**20, "quality": 0.9} for s in (1.0, 2.0, 3.0)]
PEER = [{"seconds": s, "peak_bytes": 2**21, "quality": 0.8} for s in (2.0, 2.0, 2.0)]


def test_the_ratio_is_the_median_of_the_pairs() -> None:
    told = row(CASE, OURS, PEER, {})
    assert told["ratio"] == "1.00 (0.67–2.00)"
    assert told["ours"] == "2.00 s, 500 rows/s"
    assert told["memory"] == "1 MiB | 2 MiB"
    assert told["quality"] == "AUC 0.9"


def test_floor_and_goal_are_told_in_plain_words() -> None:
    assert row(CASE, OURS, PEER, {})["verdict"] == "floor 0.8×: met; goal 2×: not met"


def test_floors_of_speed_and_of_time_are_compared_their_way() -> None:
    speed = replace(CASE, measure="speed", floor=400, goal=600)
    assert (
        row(speed, OURS, PEER, {})["verdict"] == "floor 400 rows/s: met; goal 600 rows/s: not met"
    )
    time = replace(CASE, measure="seconds", floor=3, goal=1)
    assert row(time, OURS, PEER, {})["verdict"] == "floor 3 s: met; goal 1 s: not met"


def test_without_a_peer_to_run_what_is_known_of_it_is_told() -> None:
    alone = replace(CASE, peer=None, peer_name="SageMaker, published: 283 to 324 s")
    told = row(alone, OURS, [], {})
    assert told["peer"] == "SageMaker, published: 283 to 324 s"
    assert told["ratio"] == told["peer_quality"] == told["verdict"] == ""


def test_the_share_of_the_roof_is_of_the_median_time() -> None:
    roofed = replace(CASE, roof_seconds=lambda figures: figures["triad_bytes_a_second"] / 1e9)
    assert row(roofed, OURS, PEER, {"triad_bytes_a_second": 1e9})["roof"] == "50%"
