"""What this machine can do: the figures that results are read against."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

from clary import settings

_LIBRARIES = ("numpy", "pyarrow", "scikit-learn", "xgboost-cpu", "scipy")


def calibrate() -> dict[str, float]:
    """`triad_bytes_a_second` and `sgemm_flop_a_second`, all threads; the best of several runs."""
    return {"triad_bytes_a_second": _triad(), "sgemm_flop_a_second": _sgemm()}


def machine() -> str:
    """Processor, threads, Python and libraries, in a sentence."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    python = platform.python_version()
    return f"{_processor()}, {settings.threads()} threads, Python {python}; {libraries}"


def _triad() -> float:
    a, b = np.ones(16_000_000), np.ones(16_000_000)
    out = np.empty_like(a)

    def work() -> None:
        np.multiply(b, 2.0, out=out)
        np.add(out, a, out=out)

    return 5 * a.nbytes / _best(work)


def _sgemm() -> float:
    size = 2048
    a = np.ones((size, size), dtype=np.float32)
    return 2 * size**3 / _best(lambda: a @ a)


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
