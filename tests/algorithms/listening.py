"""What tests of trainings in memory share: who listens, and where states are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


class Listener:
    """Keeps the log and the metrics of a training."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.metrics: list[tuple[str, float, int | None]] = []

    def log(self, line: str) -> None:
        self.lines.append(line)

    def metric(self, name: str, value: float, epoch: int | None) -> None:
        self.metrics.append((name, value, epoch))

    def values(self, name: str) -> list[float]:
        return [value for found, value, _ in self.metrics if found == name]

    @property
    def names(self) -> set[str]:
        return {name for name, _, _ in self.metrics}

    @property
    def epochs(self) -> int:
        return len(self.values("train:objective_loss"))

    @property
    def rounds(self) -> list[str]:
        """XGBoost's lines of rounds, of which SageMaker's regular expressions read the metrics."""
        return [line for line in self.lines if line.startswith("[")]


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
