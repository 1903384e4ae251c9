"""The main job on real data: four algorithms trained from files in four formats, one served.

`make demo` runs it. Everything it writes is in `demo-output/`.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_breast_cancer, load_digits

OUTPUT = Path("demo-output")
CLARY = Path(sys.executable).parent / "clary"
console = Console(highlight=False)


@dataclass(frozen=True)
class Job:
    """One training: its data files, its hyperparameters, and the score to show."""

    algorithm: str
    data: str
    files: dict[str, str]
    hyperparameters: dict[str, Any]
    score: str
    meaning: str
    scored_on: str = ""


JOBS = (
    Job(
        "linear-learner",
        "tumors, RecordIO",
        {"train": "tumors-train.recordio", "validation": "tumors-validation.recordio"},
        {"predictor_type": "binary_classifier"},
        "test:roc_auc_score",
        "ROC AUC",
        "tumors-test.recordio",
    ),
    Job(
        "kmeans",
        "digits, CSV",
        {"train": "digits-train.csv", "test": "digits-test.csv"},
        {"k": 10},
        "test:msd",
        "mean squared distance",
    ),
    Job(
        "pca",
        "digits, Parquet",
        {"train": "digits-train.parquet"},
        {"num_components": 10},
        "",
        "variance in 10 of 64",
    ),
    Job(
        "xgboost",
        "tumors, libsvm",
        {"train": "tumors-train.libsvm", "validation": "tumors-validation.libsvm"},
        {
            "objective": "binary:logistic",
            "num_round": 50,
            "eval_metric": "auc",
            "early_stopping_rounds": 10,
        },
        "validation:auc",
        "ROC AUC",
    ),
)


def main() -> None:
    """Prepare, train, serve, and say what came out."""
    started = time.perf_counter()
    OUTPUT.mkdir(exist_ok=True)
    console.print("[bold]1. Real data[/bold], in the four formats")
    prepare()
    console.print("[bold]2. Training[/bold] from files")
    results = [(job, *train(job)) for job in JOBS]
    console.print("[bold]3. Serving[/bold] the linear learner over HTTP")
    ask(OUTPUT / "linear-learner")
    console.print()
    console.print(table(results))
    console.print("\nReport pages, to be opened in a browser:")
    for job in JOBS:
        console.print(f"  {OUTPUT / job.algorithm / 'report.html'}", soft_wrap=True)
    console.print(f"\nAll of it took {time.perf_counter() - started:.1f} s.")


def prepare() -> None:
    """Write the sets that scikit-learn carries as CSV, then rewrite them with `clary convert`."""
    tumors, malignant = load_breast_cancer(return_X_y=True)
    draw = np.random.default_rng(0).permutation(len(tumors))
    labelled = np.column_stack([1 - malignant, tumors])[draw]
    parts = {"train": labelled[:380], "validation": labelled[380:475], "test": labelled[475:]}
    for name, rows in parts.items():
        source = OUTPUT / f"tumors-{name}.csv"
        np.savetxt(source, rows, fmt="%g", delimiter=",")
        convert(source, f"tumors-{name}.recordio", label_size=1)
        if name != "test":
            convert(source, f"tumors-{name}.libsvm", label_size=1)
    digits, _ = load_digits(return_X_y=True)
    np.savetxt(OUTPUT / "digits-train.csv", digits[:1500], fmt="%g", delimiter=",")
    np.savetxt(OUTPUT / "digits-test.csv", digits[1500:], fmt="%g", delimiter=",")
    convert(OUTPUT / "digits-train.csv", "digits-train.parquet", label_size=0)


def convert(source: Path, target: str, label_size: int) -> None:
    """`clary convert`, by the extension of the target."""
    clary("convert", source, OUTPUT / target, "--label-size", str(label_size))


def train(job: Job) -> tuple[float, float]:
    """Train one job; its score and the seconds it took."""
    arguments: list[str | Path] = [
        "train",
        job.algorithm,
        "--output",
        OUTPUT / job.algorithm,
        "--json",
    ]
    for channel, file in job.files.items():
        arguments += [f"--{channel}", OUTPUT / file]
    for name, value in job.hyperparameters.items():
        arguments += ["-p", f"{name}={value}"]
    started = time.perf_counter()
    told = json.loads(clary(*arguments).splitlines()[-1])
    seconds = time.perf_counter() - started
    console.print(
        f"   {job.algorithm:15} {told['seconds']['total']:5.2f} s of work, {seconds:5.2f} s in all"
    )
    return score(job, told), seconds


def score(job: Job, told: dict[str, Any]) -> float:
    """The job's score, where it is to be found."""
    folder = OUTPUT / job.algorithm
    if job.scored_on:
        scores = clary("evaluate", folder, "--test", OUTPUT / job.scored_on, "--json")
        return float(json.loads(scores.splitlines()[-1])["metrics"][job.score])
    if job.score:
        return float(told["metrics"][job.score])
    seen = json.loads(clary("inspect", folder, "--json").splitlines()[-1])
    return float(seen["explained_variance_share"])


def ask(model: Path) -> None:
    """Serve a model and send it rows as CSV and as JSON."""
    rows = (OUTPUT / "tumors-test.csv").read_text().splitlines()[:3]
    unlabelled = [row.partition(",")[2] for row in rows]
    instances = [{"features": [float(cell) for cell in row.split(",")]} for row in unlabelled]
    with server(model) as port:
        for kind, body in (
            ("text/csv", "\n".join(unlabelled)),
            ("application/json", json.dumps({"instances": instances})),
        ):
            answer = post(port, kind, body)
            console.print(f"   {kind:17} → {answer}", soft_wrap=True)
        latency = min(_timed(lambda: post(port, "text/csv", unlabelled[0])) for _ in range(50))
        console.print(f"   one row, there and back: {latency * 1000:.1f} ms at best")


@contextmanager
def server(model: Path) -> Iterator[int]:
    """`clary serve` on a free port, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [CLARY, "serve", model, "--port", str(port)], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            if _answers(port):
                break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def post(port: int, kind: str, body: str) -> str:
    """One request to /invocations."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": kind, "Accept": "application/json"}
    connection.request("POST", "/invocations", body, headers)
    answer = connection.getresponse().read().decode()
    connection.close()
    return answer


def table(results: list[tuple[Job, float, float]]) -> Table:
    """What came out."""
    shown = Table(box=None, pad_edge=False)
    for name in ("algorithm", "data", "quality", "", "seconds"):
        shown.add_column(name, justify="right" if name in {"quality", "seconds"} else "left")
    for job, quality, seconds in results:
        shown.add_row(job.algorithm, job.data, f"{quality:.4g}", job.meaning, f"{seconds:.2f}")
    return shown


def clary(*arguments: str | Path) -> str:
    """Run a command of Clary; its standard output."""
    done = subprocess.run(
        [CLARY, *arguments], capture_output=True, text=True, check=False, env=os.environ
    )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
