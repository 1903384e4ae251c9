"""What this machine can do: the figures that results are read against.

`python -m benchmarks.calibration` prints them as JSON. Each is the best of several runs, by all
threads where the name does not say otherwise.
"""

from __future__ import annotations

import io
import json
import platform
import socket
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Thread

import numba
import numpy as np
import numpy.typing as npt
from pyarrow import csv

from clary import settings

_LIBRARIES = (
    "clary",
    "numpy",
    "scipy",
    "pyarrow",
    "numba",
    "scikit-learn",
    "xgboost-cpu",
    "xgboost",
    "faiss-cpu",
    "protobuf",
)
_LINE = 64
_REQUEST = b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\n1\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 2\r\n\r\n1\n"


def main() -> None:
    """Print machine, versions and figures."""
    print(json.dumps({"machine": machine(), "versions": versions(), "figures": calibrate()}))


def calibrate() -> dict[str, float]:
    """Bandwidth, arithmetic, gathers, CSV and HTTP, in bytes, operations and pieces a second."""
    return {
        "triad_bytes_a_second": _triad(),
        # 2048³; a batch times its own transpose as in PCA; a batch times 32 models
        "sgemm_flop_a_second": _sgemm(2048, 2048, 2048),
        "sgemm_tall_flop_a_second": _sgemm(784, 4096, 784),
        "sgemm_models_flop_a_second": _sgemm(1000, 784, 32),
        "gathers_a_second_cached_one_thread": _gathers(2**18),
        "gathers_a_second_memory_one_thread": _gathers(2**28),
        "pyarrow_csv_bytes_a_second": _csv(),
        "loopback_http_requests_a_second": _http(),
    }


def machine() -> str:
    """Processor, threads, Python and libraries, in a sentence."""
    libraries = ", ".join(f"{name} {number}" for name, number in versions().items())
    python = platform.python_version()
    return f"{_processor()}, {settings.threads()} threads, Python {python}; {libraries}"


def versions() -> dict[str, str]:
    """Those of the libraries that are installed."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _triad() -> float:
    a, b = np.ones(16_000_000), np.ones(16_000_000)
    out = np.empty_like(a)

    def work() -> None:
        np.multiply(b, 2.0, out=out)
        np.add(out, a, out=out)

    return 5 * a.nbytes / _best(work)


def _sgemm(rows: int, inner: int, columns: int) -> float:
    a, b = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)
    repeats = max(1, 2**31 // (rows * inner * columns))

    def work() -> None:
        for _ in range(repeats):
            a @ b

    return repeats * 2 * rows * inner * columns / _best(work)


def _gathers(table_bytes: int) -> float:
    """Lines of 64 bytes, read at random places of a table."""
    table = np.ones((table_bytes // _LINE, _LINE // 4), np.float32)
    places = np.random.default_rng(0).integers(0, len(table), 2_000_000)
    _gather(table, places[:1])
    return len(places) / _best(lambda: _gather(table, places))


@numba.njit
def _gather(table: npt.NDArray[np.float32], places: npt.NDArray[np.int64]) -> float:
    total = 0.0
    for place in places:
        total += table[place, 0] + table[place, 15]
    return total


def _csv() -> float:
    rows = np.random.default_rng(0).normal(size=(2000, 50))
    text = io.StringIO()
    np.savetxt(text, rows, fmt="%.6g", delimiter=",")
    data = text.getvalue().encode() * 20
    names = csv.ReadOptions(autogenerate_column_names=True)
    return len(data) / _best(lambda: csv.read_csv(io.BytesIO(data), names))


def _http(requests: int = 3000) -> float:
    """Bare answers on one connection: what is left when neither parser nor model works."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=_answer, args=(listening,), daemon=True).start()
        with socket.create_connection(listening.getsockname()) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def work() -> None:
                for _ in range(requests):
                    connection.sendall(_REQUEST)
                    connection.recv(len(_ANSWER))

            return requests / _best(work)


def _answer(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while connection.recv(len(_REQUEST)):
            connection.sendall(_ANSWER)


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


if __name__ == "__main__":
    main()
