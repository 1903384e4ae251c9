"""Trainings that are stopped, or killed and taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clary.algorithms.factorization_machines.fit import fit
from clary.algorithms.factorization_machines.model import FactorizationMachinesModel
from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.kit.cluster import Cluster
from tests.algorithms.factorization_machines.training import (
    BINARY,
    DIGITS,
    running,
    some,
    state,
    trained,
)
from tests.algorithms.listening import Checkpoints, Listener
from tests.kit.clusters import on_each

MANY = {**BINARY, "epochs": 4, "factors_lr": 0.01}


class Killed(BaseException):
    """As if the process had been killed."""


def killed_after(epoch: int, folder: Path, rows: Batch = DIGITS) -> None:
    """A training that dies right after a checkpoint."""

    def die(step: int) -> None:
        if step == epoch:
            raise Killed

    with pytest.raises(Killed):
        fit(running(rows, MANY, checkpoints=Checkpoints(folder, die)))


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_killed_training_goes_on_to_the_same_model(epoch: int, tmp_path: Path) -> None:
    killed_after(epoch, tmp_path)
    run = running(DIGITS, MANY, checkpoints=Checkpoints(tmp_path))
    assert state(fit(run)) == state(trained(DIGITS, MANY))
    assert isinstance(run.reporter, Listener)
    assert f"going on from the checkpoint after epoch {epoch}" in run.reporter.lines
    assert run.reporter.values("train:progress")[0] == 25 * (epoch + 1)


def test_hosts_go_on_from_the_leaders_checkpoint(tmp_path: Path) -> None:
    parts = [some(DIGITS, np.arange(place, DIGITS.rows, 2)) for place in range(2)]

    class Leaders(Checkpoints):
        """As on SageMaker: the other hosts have none."""

        def __init__(self, cluster: Cluster) -> None:
            super().__init__(tmp_path)
            self.cluster = cluster

        def save(self, step: int, write: Any) -> None:
            if self.cluster.is_leader and not (tmp_path / f"{step:06d}").exists():
                super().save(step, write)

        def latest(self) -> tuple[int, Path] | None:
            assert self.cluster.is_leader
            return super().latest()

    def host(cluster: Cluster) -> FactorizationMachinesModel:
        part = parts[cluster.rank]
        return fit(running(part, MANY, cluster=cluster, checkpoints=Leaders(cluster)))

    first, again = (on_each(("algo-1", "algo-2"), host) for _ in range(2))
    assert len({state(model) for model in (*first, *again)}) == 1


def test_damaged_checkpoints_and_those_of_other_trainings_are_refused(tmp_path: Path) -> None:
    killed_after(1, tmp_path)
    narrow = Batch(DIGITS.sparse()[:, :512], DIGITS.label)
    with pytest.raises(CallerError, match=r"linear of shape \(512, 3\), got '?\(1024, 3\)"):
        fit(running(narrow, MANY, checkpoints=Checkpoints(tmp_path)))
    for name in ("factors.npy", "state.json"):
        path = tmp_path / "000001" / name
        whole = path.read_bytes()
        for damaged in (b"", whole[: len(whole) // 2], b"x" * len(whole)):
            path.write_bytes(damaged)
            with pytest.raises(CallerError, match="is damaged or foreign"):
                fit(running(DIGITS, MANY, checkpoints=Checkpoints(tmp_path)))
        path.write_bytes(whole)


def test_a_training_that_is_stopped_keeps_what_it_has() -> None:
    run = running(DIGITS, {**MANY, "epochs": 10_000})
    listener = run.reporter

    class Stopping(Listener):
        """Stops the training in its second epoch."""

        def log(self, line: str) -> None:
            super().log(line)
            if "epoch=1, batch=0" in line:
                run.stopping.set()

    run.reporter = Stopping()
    stopped = fit(run)
    assert isinstance(listener, Listener)
    assert run.reporter.values("train:progress") == [0.01, 0.02]
    # The second epoch was begun and not ended
    assert state(stopped) != state(trained(DIGITS, {**MANY, "epochs": 1}))
    assert state(stopped) != state(trained(DIGITS, {**MANY, "epochs": 2}))
