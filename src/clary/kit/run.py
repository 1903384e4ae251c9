"""What a training is given: parameters, channels, hosts, randomness, and a way to speak."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from clary.data.channel import Channel
from clary.kit.cluster import Cluster
from clary.spec.algorithm import Algorithm
from clary.spec.hyperparameters import Hyperparameters
from clary.spec.metrics import PROGRESS, THROUGHPUT

P = TypeVar("P", bound=Hyperparameters)


class Reporter(Protocol):
    """Who listens to a training: the log, the metrics file, the progress bar."""

    def log(self, line: str) -> None:
        """One line of the training's log."""

    def metric(self, name: str, value: float, epoch: int | None) -> None:
        """One value of a declared metric."""


class Silent:
    """A reporter that keeps nothing."""

    def log(self, line: str) -> None:
        return

    def metric(self, name: str, value: float, epoch: int | None) -> None:
        return


class Checkpoints(Protocol):
    """Where a training's states are kept, to go on from after a kill."""

    def save(self, step: int, write: Callable[[Path], None]) -> None:
        """Keep the folder that `write` fills as the state after `step`; whole or not at all."""

    def latest(self) -> tuple[int, Path] | None:
        """The newest whole state, or None."""


class NoCheckpoints:
    """For trainings without a checkpoint folder."""

    def save(self, step: int, write: Callable[[Path], None]) -> None:
        return

    def latest(self) -> tuple[int, Path] | None:
        return None


@dataclass
class Run(Generic[P]):
    """One training.

    params: typed hyperparameters; channels: by name, only those given.
    initial_model: folder of the model to go on from (the `model` channel), or None.
    rng: the only source of randomness; the same on every host.
    stop: set when the training is to end early and keep what it has.
    options: what was asked for beyond hyperparameters, of the algorithm's declared `options`.
    output: folder for files beside the model, or None.
    notes: what fit wants on record beside the model (`auto` resolved, curves for the report).
    """

    algorithm: Algorithm
    params: P
    channels: Mapping[str, Channel]
    seed: int = 0
    cluster: Cluster = field(default_factory=Cluster)
    device: str = "cpu"
    reporter: Reporter = field(default_factory=Silent)
    checkpoints: Checkpoints = field(default_factory=NoCheckpoints)
    initial_model: Path | None = None
    output: Path | None = None
    stopping: Event = field(default_factory=Event)
    options: Mapping[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    @property
    def train(self) -> Channel:
        """The channel named train."""
        return self.channels["train"]

    @property
    def stop(self) -> bool:
        """Whether someone asked the training to end; look once a batch."""
        return self.stopping.is_set()

    def stopped_anywhere(self) -> bool:
        """Whether any host is to end: all agree on it, so every host must ask."""
        return bool(self.cluster.all_reduce(np.array([int(self.stop)]))[0])

    def log(self, text: str) -> None:
        """One line for whoever reads the log; only the leader's is shown."""
        if self.cluster.is_leader:
            self.reporter.log(text)

    def report(self, name: str, value: float, *, epoch: int | None = None, **fields: Any) -> None:
        """One value of a declared metric, written as its log line and kept in the history.

        Raises:
            KeyError: the algorithm does not declare the metric.
        """
        metric = self.algorithm.metric(name)
        if not self.cluster.is_leader:
            return
        if metric.line:
            filled = {"host": self.cluster.host, "epoch": epoch, **fields}
            self.reporter.log(metric.line.format(value=repr(float(value)), **filled))
        self.reporter.metric(name, float(value), epoch)

    def progress(self, percent: float) -> None:
        """How much of the work is done, from 0 to 100."""
        self.report(PROGRESS.name, round(percent, 2))

    def throughput(self, rows_per_second: float) -> None:
        """Rows a second since the training began."""
        self.report(THROUGHPUT.name, round(rows_per_second, 2))

    def resolved(self, **values: Any) -> None:
        """Settle hyperparameters that were left out or `auto`, and say so in the log."""
        for name, value in values.items():
            if self.params.values().get(name.removesuffix("_")) != value:
                self.log(f"{name.removesuffix('_')}: settled as {value}")
        self.params = self.params.having(**values)
