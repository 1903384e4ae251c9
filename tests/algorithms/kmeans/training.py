"""Trainings in memory, and real rows for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.datasets import load_digits

from clary.algorithms.kmeans.fit import fit
from clary.algorithms.kmeans.model import KMeansModel
from clary.algorithms.kmeans.spec import ALGORITHM, KMeansHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.run import Run

DIGITS, DIGIT = load_digits(return_X_y=True)
DIGITS = DIGITS.astype(np.float32)


class Listener:
    """Keeps the log and the metrics of a training."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.metrics: list[tuple[str, float]] = []

    def log(self, line: str) -> None:
        self.lines.append(line)

    def metric(self, name: str, value: float, epoch: int | None) -> None:
        self.metrics.append((name, value))

    def values(self, name: str) -> list[float]:
        return [value for found, value in self.metrics if found == name]


class Checkpoints:
    """Checkpoints in a folder; `after` is called when one is written."""

    def __init__(self, folder: Path, after: Callable[[int], None] = lambda step: None) -> None:
        self.folder = folder
        self.after = after

    def save(self, step: int, write: Callable[[Path], None]) -> None:
        (self.folder / f"{step:06d}").mkdir()
        write(self.folder / f"{step:06d}")
        self.after(step)

    def latest(self) -> tuple[int, Path] | None:
        found = sorted(self.folder.iterdir())
        return (int(found[-1].name), found[-1]) if found else None


def running(rows: Any, hyperparameters: dict[str, Any], **rest: Any) -> Run[KMeansHyperparameters]:
    """A training that is ready to begin; rows are a Batch or its features."""
    batch = rows if isinstance(rows, Batch) else Batch(rows)
    channels = {"train": MemoryChannel("train", batch)}
    params = KMeansHyperparameters.parse(hyperparameters)
    return Run(ALGORITHM, params, channels, **{"reporter": Listener(), **rest})


def heard(rows: Any, *, seed: int = 0, **hyperparameters: Any) -> tuple[KMeansModel, Listener]:
    """A trained model and what was said meanwhile."""
    run = running(rows, hyperparameters, seed=seed)
    model = fit(run)
    assert isinstance(run.reporter, Listener)
    return model, run.reporter


def trained(rows: Any = DIGITS, *, seed: int = 0, **hyperparameters: Any) -> KMeansModel:
    """A trained model."""
    return heard(rows, seed=seed, **hyperparameters)[0]


def ssd(centers: np.ndarray, rows: np.ndarray) -> float:
    """The sum of squared distances of rows to their nearest centers, in float64."""
    nearest = np.full(len(rows), np.inf)
    for center in centers.astype(np.float64):
        np.minimum(nearest, ((rows - center) ** 2).sum(axis=1), out=nearest)
    return float(nearest.sum())


def one_hot(rows: np.ndarray) -> csr_array:
    """A column for each pixel and value above 0: 3 % are filled."""
    row, pixel = np.nonzero(rows)
    columns = pixel * 16 + rows[row, pixel].astype(np.intp) - 1
    ones = np.ones(len(row), np.float32)
    return csr_array((ones, (row, columns)), shape=(len(rows), rows.shape[1] * 16))
