"""One side of a case in a process of its own: runs when told, tells time, memory and quality.

`python -m benchmarks.worker SUITE CASE SIDE FOLDER`: a line on standard input is one run.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from importlib import import_module
from pathlib import Path


def main() -> None:
    """Answer every line of standard input with one run."""
    suite, name, side, folder = sys.argv[1:]
    cases = import_module(f"benchmarks.{suite}").SUITE.cases
    case = next(case for case in cases if case.name == name)
    work = case.ours if side == "ours" else case.peer
    answers, sys.stdout = sys.stdout, sys.stderr
    for _ in sys.stdin:
        gc.collect()
        started = time.perf_counter()
        told = work(Path(folder))
        seconds = time.perf_counter() - started
        peak = _peak_bytes()
        print(
            json.dumps({"seconds": seconds, "peak_bytes": peak, **told}), file=answers, flush=True
        )


def _peak_bytes() -> int:
    """The most memory that this process had; `ru_maxrss` would count its parent's before exec."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024


if __name__ == "__main__":
    main()
