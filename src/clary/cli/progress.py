"""A training as one watches it: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from clary.cli.terminal import say, shown
from clary.kit.run import Reporter

_QUIET = {"train:progress", "train:throughput"}
# Lines of train.log that a person at a terminal knows already, or is told in other words
_SKIPPED = (
    "#metrics",
    "Reading default configuration",
    "Merging with provided configuration",
    "Final configuration",
    "ClientError:",
    "AlgorithmError:",
)
# Lines that a person beside a moving bar wants to know
_DECISIONS = ("channel ", "Without effect here")


@contextmanager
def watching(title: str) -> Iterator[Reporter]:
    """The listener for a training, shown on standard error while the block lasts."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[share]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[told]}"),
    )
    with Progress(*columns, console=console) as progress:
        bar = _Bar(progress, title)
        try:
            yield bar
        except BaseException:
            bar.leave()
            raise
        bar.finish()


class _Bar:
    """Progress as a bar, with the newest values beside it.

    Algorithms that cannot tell their share, such as XGBoost, get a bar that only moves.
    """

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=None, share="", told="")
        self._newest: dict[str, float] = {}

    def finish(self) -> None:
        """The training ended well."""
        self._progress.update(self._task, total=100.0, completed=100.0, share="100 %")

    def leave(self) -> None:
        """It failed: what is told next matters, not how far it came."""
        self._progress.remove_task(self._task)

    def log(self, line: str) -> None:
        if line.startswith(_DECISIONS):
            self._progress.console.print(line, markup=False)

    def metric(self, name: str, value: float, epoch: int | None) -> None:
        if name == "train:progress":
            share = f"{value:3.0f} %"
            self._progress.update(self._task, total=100.0, completed=value, share=share)
        elif name not in _QUIET:
            self._newest[name] = value
            told = "  ".join(f"{n} {shown(v)}" for n, v in list(self._newest.items())[-2:])
            self._progress.update(self._task, told=told)


class _Lines:
    """The log's own lines."""

    def log(self, line: str) -> None:
        if not line.startswith(_SKIPPED):
            say(line)

    def metric(self, name: str, value: float, epoch: int | None) -> None:
        return
