"""Checkpoints in a folder: whole or not at all, the newest two."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from clary.errors import CallerError
from clary.storage.folder import disk_full_explained, is_partial, temporary_sibling

_KEPT = 2


class FolderCheckpoints:
    """The checkpoints of one algorithm in a folder.

    The state after step N is the folder `<algorithm>-state.N`. A file in it that is named
    `<algorithm>-checkpoint.N`, as SageMaker's XGBoost names its own, is also beside it.
    """

    def __init__(self, folder: Path, algorithm: str) -> None:
        self._folder = folder
        self._state = re.compile(rf"{re.escape(algorithm)}-state\.([0-9]+)")
        self._algorithm = algorithm

    def save(self, step: int, write: Callable[[Path], None]) -> None:
        """Keep the folder that `write` fills, and of the earlier ones the newest.

        Raises:
            CallerError: the disk is full.
        """
        self._sweep()
        state = self._path("state", step)
        partial = temporary_sibling(state)
        partial.mkdir()
        try:
            with disk_full_explained(state):
                write(partial)
                _synced(partial)
            _removed(state)
            partial.replace(state)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        with disk_full_explained(state):
            self._show(step)
        for old in sorted(self._steps())[:-_KEPT]:
            self._path("checkpoint", old).unlink(missing_ok=True)
            _removed(self._path("state", old))

    def latest(self) -> tuple[int, Path] | None:
        steps = self._steps()
        return (max(steps), self._path("state", max(steps))) if steps else None

    def _path(self, kind: str, step: int) -> Path:
        return self._folder / f"{self._algorithm}-{kind}.{step}"

    def _steps(self) -> list[int]:
        matches = (self._state.fullmatch(each.name) for each in self._folder.iterdir())
        return [int(match[1]) for match in matches if match]

    def _show(self, step: int) -> None:
        """Copy the state's own checkpoint file to where SageMaker's users look for it."""
        shown = self._path("checkpoint", step)
        inner = self._path("state", step) / shown.name
        if inner.is_file():
            partial = temporary_sibling(shown)
            shutil.copyfile(inner, partial)
            partial.replace(shown)

    def _sweep(self) -> None:
        """Remove what killed processes left half-written."""
        for each in self._folder.iterdir():
            if is_partial(each.name):
                shutil.rmtree(each) if each.is_dir() else each.unlink()


class FollowersCheckpoints:
    """On hosts other than the leader: nothing is saved, and the leader's newest state looked up."""

    def __init__(self, folder: Path, algorithm: str, step: int | None) -> None:
        """`step` is that of the leader's newest state."""
        self._folder = folder
        self._algorithm = algorithm
        self._step = step

    def save(self, step: int, write: Callable[[Path], None]) -> None:
        return

    def latest(self) -> tuple[int, Path] | None:
        """
        Raises:
            CallerError: this host does not have the leader's state.
        """
        if self._step is None:
            return None
        state = self._folder / f"{self._algorithm}-state.{self._step}"
        if not state.is_dir():
            raise CallerError.of(
                f"checkpoint {state}",
                "the leader has it and this host does not",
                remedy="Give all hosts the same checkpoints.",
            )
        return self._step, state


def _removed(folder: Path) -> None:
    """Out of sight first: a folder half removed must not look like a state."""
    if folder.exists():
        doomed = temporary_sibling(folder)
        folder.replace(doomed)
        shutil.rmtree(doomed)


def _synced(folder: Path) -> None:
    """Wait until what is in the folder is on the disk."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
