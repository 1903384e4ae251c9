"""Trees of the container contract, and the `train` entry point run in them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clary.runtime.interruption import Interruption
from clary.runtime.layout import Layout
from clary.runtime.log import Log
from clary.runtime.train import Job, train

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: str
    failure: str


def tree(
    root: Path, hyperparameters: Mapping[str, Any], channels: Mapping[str, Mapping[str, str]]
) -> Layout:
    """A tree with its configuration; `channels` are entries of inputdataconfig.json."""
    layout = Layout(root)
    layout.make()
    layout.hyperparameters.write_text(json.dumps(hyperparameters))
    layout.input_data_config.write_text(
        json.dumps(
            {
                name: {
                    "TrainingInputMode": "File",
                    "S3DistributionType": "FullyReplicated",
                    "RecordWrapperType": "None",
                    **entry,
                }
                for name, entry in channels.items()
            }
        )
    )
    layout.resource_config.write_text('{"current_host": "algo-1", "hosts": ["algo-1"]}')
    for name in channels:
        layout.channel(name).mkdir(exist_ok=True)
    return layout


@dataclass(frozen=True)
class Finished:
    """A training in this process: its tree and what it logged."""

    layout: Layout
    log: Log
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def files(self) -> dict[str, bytes]:
        """The model's files."""
        return {each.name: each.read_bytes() for each in self.layout.model.iterdir()}

    def metrics(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.layout.output_data / "metrics.json").read_text())
        return found


def train_here(layout: Layout, algorithm: str = "column-means", **job: Any) -> Finished:
    """Train in this process."""
    stream = io.StringIO()
    log = Log(stream)
    train(Job(algorithm, **job), layout, log, Interruption())
    return Finished(layout, log, stream.getvalue())


def rows(count: int = 100, width: int = 3, seed: int = 0) -> np.ndarray:
    """Rows whose column means are 0, 1, 2, …"""
    return np.random.default_rng(seed).normal(np.arange(width), 1, (count, width))


def write_csv(path: Path, table: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, table, fmt="%.6g", delimiter=",")


def start(layout: Layout, algorithm: str = "column-means", **environment: str) -> Any:
    """The entry point as a process of its own; its output is one stream."""
    return subprocess.Popen(
        [sys.executable, "-m", "clary.runtime.train", algorithm],
        env={**os.environ, "CLARY_ML_ROOT": str(layout.root), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=REPOSITORY,
    )


def ended(process: Any, layout: Layout) -> Ended:
    out, _ = process.communicate(timeout=120)
    failure = layout.failure.read_text() if layout.failure.exists() else ""
    return Ended(process.returncode, out, failure)


def run(layout: Layout, algorithm: str = "column-means", **environment: str) -> Ended:
    return ended(start(layout, algorithm, **environment), layout)
