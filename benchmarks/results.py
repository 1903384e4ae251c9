"""From the runs of a case to a row of the table."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, TypeAlias

from benchmarks.case import Case, Measure

Runs: TypeAlias = Sequence[dict[str, float]]
_UNITS: dict[Measure, str] = {"ratio": "×", "speed": "", "seconds": " s", "mebibytes": " MiB"}


def row(case: Case, ours: Runs, peer: Runs, figures: dict[str, float]) -> dict[str, Any]:
    """One row: texts for the table, and the numbers behind them.

    ours, peer: what the runs told, paired; `peer` is empty where there is none to run.
    figures: the calibration's.
    """
    seconds = _median(ours, "seconds")
    ratios = [b["seconds"] / a["seconds"] for a, b in zip(ours, peer, strict=False)]
    reached = _reached(case, ours, ratios)
    share = case.roof_seconds(figures) / seconds if case.roof_seconds else None
    return {
        "case": case.name,
        "ours": _speed(case, seconds),
        "peer": _peer(case, peer),
        "ratio": f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})" if ratios else "",
        "quality": _quality(case, ours),
        "peer_quality": _quality(case, peer),
        "memory": " | ".join(f"{_peak(runs) / 2**20:,.0f} MiB" for runs in (ours, peer) if runs),
        "roof": f"{share:.0%}" if share is not None else "",
        "verdict": _verdict(case, reached),
        "seconds": seconds,
        "spread_seconds": [min(_all(ours, "seconds")), max(_all(ours, "seconds"))],
        "peer_seconds": _median(peer, "seconds") if peer else None,
        "kernel_seconds": _median(ours, "kernel_seconds") if "kernel_seconds" in ours[0] else None,
        "measure": case.measure,
        "reached": reached,
        "floor": case.floor,
        "goal": case.goal,
    }


def _reached(case: Case, ours: Runs, ratios: Sequence[float]) -> float | None:
    if case.measure == "mebibytes":
        return _peak(ours) / 2**20
    seconds = _median(ours, "seconds")
    if case.measure == "seconds":
        return seconds
    if case.measure == "speed":
        return case.amount / seconds
    return median(ratios) if ratios else None


def _verdict(case: Case, reached: float | None) -> str:
    """Floor and goal in plain words."""
    parts = []
    for name, wanted in (("floor", case.floor), ("goal", case.goal)):
        if wanted is None or reached is None:
            continue
        less_is_better = case.measure in {"seconds", "mebibytes"}
        met = reached <= wanted if less_is_better else reached >= wanted
        unit = _UNITS[case.measure] or f" {case.unit}/s"
        parts.append(f"{name} {wanted:,.6g}{unit}: {'met' if met else 'not met'}")
    return "; ".join(parts)


def _peer(case: Case, runs: Runs) -> str:
    return f"{case.peer_name}: {_speed(case, _median(runs, 'seconds'))}" if runs else case.peer_name


def _speed(case: Case, seconds: float) -> str:
    shown = f"{seconds * 1000:.2f} ms" if seconds < 0.1 else f"{seconds:.2f} s"
    return f"{shown}, {case.amount / seconds:,.0f} {case.unit}/s" if case.amount else shown


def _quality(case: Case, runs: Runs) -> str:
    values = [run["quality"] for run in runs if "quality" in run]
    return f"{case.quality_name} {median(values):.5g}" if values else ""


def _peak(runs: Runs) -> float:
    return max(_all(runs, "peak_bytes"))


def _median(runs: Runs, name: str) -> float:
    return median(_all(runs, name))


def _all(runs: Runs, name: str) -> list[float]:
    return [run[name] for run in runs]
