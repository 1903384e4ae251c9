"""`python -m benchmarks [SUITE ...]`: runs the cases and writes `benchmarks/results/SUITE.json`.

Ours and the peer run in turn (A B A B …) after one warm-up each; the median counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.calibration import calibrate, machine
from benchmarks.case import Case, Suite

SUITES = ("ingest", "linear_learner", "kmeans", "pca", "xgboost", "endpoint", "job")
RESULTS = Path(__file__).parent / "results"
_REPEATS = 5


def main() -> None:
    """Run the named suites, or all."""
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    figures = calibrate()
    print(machine())
    print(", ".join(f"{name} {value:.3g}" for name, value in figures.items()))
    for name in sys.argv[1:] or SUITES:
        run(name.replace("-", "_"), figures)


def run(name: str, figures: dict[str, float]) -> None:
    """One suite: its table on the terminal and in the results."""
    suite: Suite = import_module(f"benchmarks.{name}").SUITE
    rows = [_row(case, measured(name, case), figures) for case in suite.cases]
    _print(suite, rows)
    told = {
        "title": suite.title,
        "about": suite.about,
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "calibration": figures,
        "rows": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(told, indent=1) + "\n")


def measured(suite: str, case: Case) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """The runs of both sides, paired."""
    with tempfile.TemporaryDirectory(prefix="clary-bench-") as scratch:
        folder = Path(scratch)
        case.prepare(folder)
        with _side(suite, case, "ours", folder) as ours, _side(suite, case, "peer", folder) as peer:
            _run(ours), _run(peer)
            pairs = [(_run(ours), _run(peer)) for _ in range(_REPEATS)]
    return [a for a, _ in pairs], [b for _, b in pairs]


@contextmanager
def _side(suite: str, case: Case, side: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.worker", suite, case.name, side, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def _run(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    print("go", file=process.stdin, flush=True)
    line = process.stdout.readline()
    if not line:
        sys.exit("benchmark: one side ended early")
    told: dict[str, float] = json.loads(line)
    return told


def _row(
    case: Case,
    runs: tuple[list[dict[str, float]], list[dict[str, float]]],
    figures: dict[str, float],
) -> dict[str, Any]:
    ours, peer = runs
    seconds = median(run["seconds"] for run in ours)
    theirs = median(run["seconds"] for run in peer)
    ratios = [b["seconds"] / a["seconds"] for a, b in zip(ours, peer, strict=True)]
    memory = max(run["peak_bytes"] for run in ours), max(run["peak_bytes"] for run in peer)
    share = case.roof_seconds(figures) / seconds if case.roof_seconds else None
    return {
        "case": case.name,
        "ours": _speed(case, seconds),
        "peer": f"{case.peer_name}: {_speed(case, theirs)}",
        "ratio": f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})",
        "quality": _quality(case, ours),
        "peer_quality": _quality(case, peer),
        "memory": f"{memory[0] / 2**20:,.0f} MiB, peer {memory[1] / 2**20:,.0f}",
        "roof_share": None if share is None else round(share, 3),
        "kernel_seconds": median(run.get("kernel_seconds", 0.0) for run in ours) or None,
        "floor": case.floor,
        "goal": case.goal,
        "ratio_median": median(ratios),
        "seconds": seconds,
        "peer_seconds": theirs,
    }


def _speed(case: Case, seconds: float) -> str:
    shown = f"{seconds * 1000:.2f} ms" if seconds < 0.1 else f"{seconds:.2f} s"
    return f"{shown}, {case.amount / seconds:,.0f} {case.unit}/s" if case.amount else shown


def _quality(case: Case, runs: list[dict[str, float]]) -> str:
    values = [run["quality"] for run in runs if "quality" in run]
    return f"{case.quality_name} {median(values):.5g}" if values else ""


def _print(suite: Suite, rows: list[dict[str, Any]]) -> None:
    print(f"\n{suite.title}\n{suite.about}")
    for row in rows:
        wanted = f"floor {row['floor']}, goal {row['goal']}" if row["floor"] else ""
        print(f"  {row['case']}: {row['ours']} | {row['peer']} | ratio {row['ratio']} {wanted}")
        print(f"      {row['quality']} | {row['peer_quality']} | {row['memory']}")


if __name__ == "__main__":
    main()
