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
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.case import Case, Suite
from benchmarks.results import row

SUITES = (
    "ingest",
    "linear_learner",
    "kmeans",
    "pca",
    "knn",
    "randomcutforest",
    "ipinsights",
    "factorization_machines",
    "svm",
    "tsne",
    "xgboost",
    "endpoint",
    "invocation",
    "job",
    "control_plane",
    "transform",
    "object_store",
)
RESULTS = Path(__file__).parent / "results"
_REPEATS = 5
_THREADS = "2"

Process: TypeAlias = "subprocess.Popen[str]"


def main() -> None:
    """Run the named suites, or all."""
    calibrated = subprocess.run(
        [sys.executable, "-m", "benchmarks.calibration"],
        env=_environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    machine = json.loads(calibrated.stdout)
    print(machine["machine"])
    print(", ".join(f"{name} {value:.3g}" for name, value in machine["figures"].items()))
    for name in sys.argv[1:] or SUITES:
        run(name.replace("-", "_"), machine)


def run(name: str, machine: dict[str, Any]) -> None:
    """One suite: its table on the terminal and in the results.

    machine: what `benchmarks.calibration` prints.
    """
    suite: Suite = import_module(f"benchmarks.{name}").SUITE
    print(f"\n{suite.title}\n{suite.about}", flush=True)
    rows = []
    for case in suite.cases:
        ours, peer = measured(name, case)
        rows.append(row(case, ours, peer, machine["figures"]))
        _print(rows[-1])
    told = {
        "title": suite.title,
        "about": suite.about,
        "date": datetime.now(UTC).date().isoformat(),
        **machine,
        "rows": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def measured(suite: str, case: Case) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """The runs of both sides, paired."""
    with tempfile.TemporaryDirectory(prefix="clary-bench-") as scratch, ExitStack() as stack:
        folder = Path(scratch)
        case.prepare(folder)
        names = ("ours", "peer") if case.peer else ("ours",)
        sides = [stack.enter_context(_side(suite, case, name, folder)) for name in names]
        for side in () if case.once else sides:
            _run(side)
        rounds = [[_run(side) for side in sides] for _ in range(1 if case.once else _REPEATS)]
    return [told[0] for told in rounds], [told[1] for told in rounds if case.peer]


@contextmanager
def _side(suite: str, case: Case, side: str, folder: Path) -> Iterator[Process]:
    command = [sys.executable, "-m", "benchmarks.worker", suite, case.name, side, str(folder)]
    process = subprocess.Popen(
        command, env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def _environment() -> dict[str, str]:
    """Both sides have the same threads, and OpenBLAS finds the processor out by itself."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}
    }
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {**dict.fromkeys(names, _THREADS), **kept}


def _run(process: Process) -> dict[str, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    print("go", file=process.stdin, flush=True)
    line = process.stdout.readline()
    if not line:
        sys.exit("benchmark: one side ended early")
    told: dict[str, float] = json.loads(line)
    return told


def _print(told: dict[str, Any]) -> None:
    ratio = f" | ratio {told['ratio']}" if told["ratio"] else ""
    print(f"  {told['case']}: {told['ours']} | {told['peer']}{ratio}")
    rest = (told["verdict"], told["quality"], told["peer_quality"], told["memory"], told["roof"])
    print(f"      {' | '.join(text for text in rest if text)}", flush=True)


if __name__ == "__main__":
    main()
