"""Trainings that go on from a checkpoint after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clary.algorithms.ipinsights.fit import fit
from clary.algorithms.ipinsights.model import IPInsightsModel
from clary.errors import CallerError
from clary.kit.cluster import Cluster
from clary.kit.run import NoCheckpoints
from tests.algorithms.ipinsights.test_fit import SIX
from tests.algorithms.ipinsights.training import TRAIN, bytes_of, running, trained
from tests.algorithms.listening import Checkpoints, Listener
from tests.kit.clusters import on_each

ROWS = [*TRAIN[:1500], *SIX[:300]]


class Killed(BaseException):
    """As if the process had been killed."""


def killed_after(epoch: int, folder: Path) -> None:
    def die(step: int) -> None:
        if step == epoch:
            raise Killed

    with pytest.raises(Killed):
        fit(running(ROWS, checkpoints=Checkpoints(folder, die)))


def test_a_killed_training_goes_on_to_the_same_model(tmp_path: Path) -> None:
    killed_after(2, tmp_path)
    run = running(ROWS, checkpoints=Checkpoints(tmp_path))
    assert bytes_of(fit(run)) == bytes_of(trained(ROWS))
    assert isinstance(run.reporter, Listener)
    assert "going on from the checkpoint after epoch 2" in run.reporter.lines
    assert run.reporter.values("train:progress")[0] == 60


def test_hosts_go_on_from_the_leaders_checkpoint(tmp_path: Path) -> None:
    killed_after(2, tmp_path)

    class Leaders(Checkpoints):
        """As on SageMaker: the other hosts have none."""

        def save(self, step: int, write: Any) -> None:
            return

    def host(cluster: Cluster) -> IPInsightsModel:
        states = Leaders(tmp_path) if cluster.is_leader else NoCheckpoints()
        return fit(running(ROWS, cluster=cluster, checkpoints=states))

    models = on_each(("algo-1", "algo-2"), host)
    assert len({bytes_of(model) for model in models}) == 1


def test_a_checkpoint_of_another_table_is_refused(tmp_path: Path) -> None:
    killed_after(1, tmp_path)
    other = running(ROWS, hyperparameters={"vector_dim": 8}, checkpoints=Checkpoints(tmp_path))
    with pytest.raises(CallerError, match="must be of the hyperparameters of this training"):
        fit(other)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    killed_after(1, tmp_path)
    path = tmp_path / "000001" / "entities.first.npy"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CallerError, match="is damaged or foreign"):
        fit(running(ROWS, checkpoints=Checkpoints(tmp_path)))
    np.save(path, np.zeros(3, np.float32))
    with pytest.raises(CallerError, match="must be of the hyperparameters"):
        fit(running(ROWS, checkpoints=Checkpoints(tmp_path)))
