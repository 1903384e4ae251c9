"""A batch transform of CSV rows, beside asking an endpoint for one row after the other."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer

from benchmarks.case import Case, Suite
from clary.data.sources import Source, resolve
from clary.jobs.transforming.containers import Pipeline, loaded_container
from clary.jobs.transforming.request import Transform, batch_environment
from clary.jobs.transforming.run import TransformRun
from clary.runtime.launch import Training, launch
from clary.storage.folder import FolderStore
from clary.storage.location import Stores

_COPIES = 10
_ROWS = 569 * _COPIES
_REQUEST = {
    "TransformInput": {"ContentType": "text/csv", "SplitType": "Line"},
    "TransformOutput": {"Accept": "text/csv", "AssembleWith": "Line"},
}


def prepare(folder: Path) -> None:
    """The model, and the rows it was trained on, several times."""
    rows, labels = load_breast_cancer(return_X_y=True)
    np.savetxt(folder / "train.csv", np.column_stack([labels, rows]), fmt="%.6g", delimiter=",")
    np.savetxt(folder / "rows.csv", np.tile(rows, (_COPIES, 1)), fmt="%.6g", delimiter=",")
    told = {"objective": "binary:logistic", "num_round": "100"}
    source = Source("train", str(folder / "train.csv"))
    launch(Training("xgboost", told, [source], folder / "output"))
    (folder / "scratch").mkdir()


def ours(folder: Path) -> dict[str, float]:
    """From the model's archive to the output."""
    container = loaded_container(_model(folder), "xgboost", batch_environment(_REQUEST))
    store = FolderStore(folder / "answers")
    run = TransformRun(
        Transform.of(_REQUEST),
        Pipeline([container]),
        store.put,
        folder / "scratch",
        threading.Event(),
    )
    for name, fault in run.over(resolve(Source("rows", str(folder / "rows.csv")), Stores())):
        if fault:
            raise RuntimeError(f"{name}: {fault}")
    return {"quality": _mean((folder / "answers" / "rows.csv").read_bytes())}


def peer(folder: Path) -> dict[str, float]:
    """Row by row to `clary serve` on one connection; its start is not counted."""
    lines = (folder / "rows.csv").read_bytes().splitlines()
    headers = {"Content-Type": "text/csv", "Accept": "text/csv"}
    answers = []
    with _served(_model(folder)) as connection:
        started = time.perf_counter()
        for line in lines:
            connection.request("POST", "/invocations", line, headers)
            answers.append(connection.getresponse().read())
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "quality": _mean(b"\n".join(answers))}


@contextmanager
def _served(model: Path) -> Iterator[http.client.HTTPConnection]:
    process = subprocess.Popen(
        [Path(sys.executable).parent / "clary", "serve", model, "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    try:
        ready = re.search(r"http://127\.0\.0\.1:(\d+)$", process.stderr.readline())
        if not ready:
            raise RuntimeError("clary serve does not answer")
        # Nobody would read its log otherwise, and the pipe would fill
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield http.client.HTTPConnection("127.0.0.1", int(ready[1]), timeout=60)
    finally:
        process.terminate()
        process.wait()


def _model(folder: Path) -> Path:
    return folder / "output" / "model.tar.gz"


def _mean(answers: bytes) -> float:
    scores = np.array(answers.split(), dtype=float)
    if len(scores) != _ROWS:
        raise RuntimeError(f"{len(scores)} answers to {_ROWS} rows")
    return float(scores.mean())


SUITE = Suite(
    "Batch transform",
    f"{_ROWS:,} rows of 30 features as CSV, 100 trees of XGBoost; ours is a batch transform with "
    "its defaults, loading the model included. The peer asks `clary serve` for one row after "
    "the other on one connection over loopback.",
    (
        Case(
            "xgboost, rows of CSV",
            prepare,
            ours,
            peer,
            "an endpoint, row by row",
            "mean score",
            _ROWS,
            "rows",
            floor=5.0,
            goal=20.0,
        ),
    ),
)
