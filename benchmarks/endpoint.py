"""One CSV row to an endpoint and its answer back, over loopback on a connection that stays open."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.case import Case, Suite
from clary.data.sources import Source
from clary.runtime.launch import Training, launch
from clary.storage.artifact import unpack

_REQUESTS, _WARM = 2000, 300
_FLOOR_SECONDS, _GOAL_SECONDS = 0.003, 0.001
_START_SECONDS = 60


def prepare(folder: Path, algorithm: str) -> None:
    """Both models of the same rows, and the request."""
    rows, labels = load_breast_cancer(return_X_y=True)
    np.savetxt(folder / "train.csv", np.column_stack([labels, rows]), fmt="%.6g", delimiter=",")
    np.savetxt(folder / "row.csv", rows[:1], fmt="%.6g", delimiter=",")
    ours, peer = _MODELS[algorithm]
    training = Training(
        algorithm, ours, [Source("train", str(folder / "train.csv"))], folder / "output"
    )
    unpack(launch(training).model, folder / "root" / "model")
    joblib.dump(peer().fit(rows, labels), folder / "peer.joblib")


def ours(folder: Path) -> dict[str, float]:
    """`serve`, the entry point of the container."""
    port = free_port()
    variables = {"CLARY_ML_ROOT": str(folder / "root"), "SAGEMAKER_BIND_TO_PORT": str(port)}
    return _measured([sys.executable, "-m", "clary.runtime.serve"], port, folder, variables)


def peer(folder: Path) -> dict[str, float]:
    """The application in `benchmarks/prediction_app.py`."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.prediction_app", str(folder / "peer.joblib")]
    return _measured([*command, str(port)], port, folder, {})


def _measured(
    command: Sequence[str], port: int, folder: Path, variables: dict[str, str]
) -> dict[str, float]:
    """The median round trip as `seconds`, the 99th percentile in ms as `quality`."""
    body = (folder / "row.csv").read_bytes()
    head = "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with _running(command, port, variables) as process, connected(port) as client:
        for _ in range(_WARM):
            ask(client, request)
        trips = [ask(client, request) for _ in range(_REQUESTS)]
        peak = peak_bytes_of(process.pid)
    return {
        "seconds": float(np.percentile(trips, 50)),
        "quality": 1000 * float(np.percentile(trips, 99)),
        "peak_bytes": peak,
    }


def ask(client: socket.socket, request: bytes) -> float:
    """One round trip in seconds, with as little work on this side as can be."""
    started = time.perf_counter()
    client.sendall(request)
    received = client.recv(65536)
    while b"\r\n\r\n" not in received:
        received += client.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
    while len(body) < length:
        body += client.recv(65536)
    seconds = time.perf_counter() - started
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(received.decode())
    return seconds


@contextmanager
def _running(
    command: Sequence[str], port: int, variables: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env={**os.environ, **variables}, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command)} does not answer")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield client


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def peak_bytes_of(process: int) -> float:
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines()
    )
    return 1024 * float(fields["VmHWM"].split()[0])


_MODELS: dict[str, tuple[dict[str, str], Callable[[], object]]] = {
    "linear-learner": (
        {"predictor_type": "binary_classifier", "epochs": "5"},
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    ),
    "xgboost": (
        {"objective": "binary:logistic", "num_round": "100"},
        lambda: xgboost.XGBClassifier(n_estimators=100, max_depth=6, n_jobs=2),
    ),
}


def _case(algorithm: str, peer_name: str) -> Case:
    return Case(
        f"{algorithm}, one CSV row",
        partial(prepare, algorithm=algorithm),
        ours,
        peer,
        f"starlette with {peer_name}",
        "p99 ms",
        1,
        "requests",
        floor=_FLOOR_SECONDS,
        goal=_GOAL_SECONDS,
        measure="seconds",
    )


SUITE = Suite(
    "Endpoint",
    "A row of 30 features as CSV to /invocations and the answer in JSON, 2,000 times one after the "
    "other on one connection over loopback; seconds are the median of a round trip. The peer is an "
    "application of a few lines on the same web server: NumPy reads the row, the library predicts.",
    (_case("linear-learner", "scikit-learn"), _case("xgboost", "XGBClassifier")),
)
