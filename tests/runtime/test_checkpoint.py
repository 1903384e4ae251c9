"""Checkpoints: whole or not there, the newest two, and found after a kill."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from clary.errors import CallerError
from clary.runtime.checkpoint import FolderCheckpoints, FollowersCheckpoints
from tests.storage.disk import names_in as names
from tests.storage.disk import said_with_file_limit


def state(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "state").write_text(text)

    return write


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    checkpoints = FolderCheckpoints(tmp_path, "kmeans")
    assert checkpoints.latest() is None
    for step in (1, 2, 9, 10):
        checkpoints.save(step, state(f"after {step}"))
    step, folder = checkpoints.latest() or (0, tmp_path)
    assert step == 10
    assert (folder / "state").read_text() == "after 10"
    assert names(tmp_path) == ["kmeans-state.10", "kmeans-state.9"]


def test_other_algorithms_and_files_are_let_be(tmp_path: Path) -> None:
    FolderCheckpoints(tmp_path, "pca").save(5, state("pca"))
    (tmp_path / "kmeans-state.x").mkdir()
    (tmp_path / "kmeans-state.7.old").mkdir()
    assert FolderCheckpoints(tmp_path, "kmeans").latest() is None
    FolderCheckpoints(tmp_path, "kmeans").save(1, state("kmeans"))
    assert (FolderCheckpoints(tmp_path, "pca").latest() or (0,))[0] == 5


def test_the_same_step_again_takes_its_place(tmp_path: Path) -> None:
    checkpoints = FolderCheckpoints(tmp_path, "kmeans")
    checkpoints.save(1, state("first"))
    checkpoints.save(1, state("second"))
    assert (tmp_path / "kmeans-state.1" / "state").read_text() == "second"
    assert names(tmp_path) == ["kmeans-state.1"]


def test_a_file_named_like_the_checkpoint_is_shown_beside_it(tmp_path: Path) -> None:
    checkpoints = FolderCheckpoints(tmp_path, "xgboost")
    for step in (1, 2, 3):

        def write(folder: Path, step: int = step) -> None:
            (folder / f"xgboost-checkpoint.{step}").write_text(f"trees {step}")

        checkpoints.save(step, write)
    shown = [name for name in names(tmp_path) if "checkpoint" in name]
    assert shown == ["xgboost-checkpoint.2", "xgboost-checkpoint.3"]
    assert (tmp_path / "xgboost-checkpoint.3").read_text() == "trees 3"


def test_one_that_fails_while_written_leaves_nothing(tmp_path: Path) -> None:
    checkpoints = FolderCheckpoints(tmp_path, "kmeans")
    checkpoints.save(1, state("good"))

    def broken(folder: Path) -> None:
        (folder / "state").write_text("half")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        checkpoints.save(2, broken)
    assert names(tmp_path) == ["kmeans-state.1"]


def test_a_full_disk_is_told_and_the_last_state_stays(tmp_path: Path) -> None:
    FolderCheckpoints(tmp_path, "kmeans").save(1, state("good"))
    said = said_with_file_limit(
        """
        import numpy as np
        from clary.runtime.checkpoint import FolderCheckpoints
        checkpoints = FolderCheckpoints(here, "kmeans")
        checkpoints.save(2, lambda folder: np.save(folder / "big", np.ones(10_000)))
        """,
        tmp_path,
    )
    assert "disk is full" in said
    assert names(tmp_path) == ["kmeans-state.1"]


def _killed_while_writing(folder: Path) -> None:
    def write(partial: Path) -> None:
        (partial / "state").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)

    FolderCheckpoints(folder, "kmeans").save(2, write)


def test_one_half_written_by_a_killed_process_is_never_seen_and_goes(tmp_path: Path) -> None:
    checkpoints = FolderCheckpoints(tmp_path, "kmeans")
    checkpoints.save(1, state("good"))
    process = multiprocessing.get_context("forkserver").Process(
        target=_killed_while_writing, args=(tmp_path,)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(names(tmp_path)) == 2
    assert (checkpoints.latest() or (0,))[0] == 1
    checkpoints.save(3, state("next"))
    assert names(tmp_path) == ["kmeans-state.1", "kmeans-state.3"]


def test_other_hosts_find_the_leaders_state_and_save_none(tmp_path: Path) -> None:
    FolderCheckpoints(tmp_path, "kmeans").save(4, state("leader"))
    follower = FollowersCheckpoints(tmp_path, "kmeans", 4)
    follower.save(5, state("follower"))
    assert follower.latest() == (4, tmp_path / "kmeans-state.4")
    assert FollowersCheckpoints(tmp_path, "kmeans", None).latest() is None
    with pytest.raises(CallerError, match="the leader has it and this host does not"):
        FollowersCheckpoints(tmp_path, "kmeans", 6).latest()
