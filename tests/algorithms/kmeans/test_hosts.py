"""Several hosts, each a thread with a communicator of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clary.algorithms.kmeans.fit import fit
from clary.algorithms.kmeans.model import KMeansModel
from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.kit.cluster import Cluster
from tests.algorithms.kmeans.training import DIGIT, DIGITS, one_hot, running, ssd, trained
from tests.algorithms.listening import Checkpoints, Listener
from tests.kit.clusters import on_each

NAMES = ("algo-1", "algo-2", "algo-3")


def together(parts: list[Any], hyperparameters: dict[str, Any], **rest: Any) -> list[KMeansModel]:
    """The model of every host; part i are the rows of host i."""

    def host(cluster: Cluster) -> KMeansModel:
        return fit(running(parts[cluster.rank], hyperparameters, cluster=cluster, **rest))

    return on_each(NAMES[: len(parts)], host)


def test_hosts_find_clusters_as_good_as_one_does_and_the_same_ones() -> None:
    parts = [np.ascontiguousarray(DIGITS[place::3]) for place in range(3)]
    first, second, third = together(parts, {"k": 10, "mini_batch_size": 200})
    assert first.centers.tobytes() == second.centers.tobytes() == third.centers.tobytes()
    assert first.sizes is not None
    assert first.sizes.sum() == pytest.approx(len(DIGITS))
    alone = [ssd(trained(k=10, seed=seed).centers, DIGITS) for seed in range(3)]
    assert ssd(first.centers, DIGITS) < 1.02 * np.mean(alone)


def test_each_hosts_rows_matter_even_where_they_are_of_another_kind() -> None:
    # SageMaker's sharding is by file: one host may have nothing but ones
    parts = [DIGITS[DIGIT < 5], DIGITS[DIGIT >= 5]]
    first, _ = together(parts, {"k": 10})
    assert ssd(first.centers, DIGITS) < 1.03 * ssd(trained(k=10).centers, DIGITS)


@pytest.mark.parametrize("idle", [0, 1])
def test_a_host_without_rows_takes_part(idle: int) -> None:
    parts = [DIGITS, DIGITS]
    parts[idle] = DIGITS[:0]
    first, second = together(parts, {"k": 10, "mini_batch_size": 500})
    assert first.centers.tobytes() == second.centers.tobytes()
    assert ssd(first.centers, DIGITS) < 1.03 * ssd(trained(k=10).centers, DIGITS)


def test_hosts_with_fewer_rows_than_k_have_enough_together() -> None:
    first, _ = together([DIGITS[:6], DIGITS[6:12]], {"k": 10})
    assert first.centers.shape == (10, 64)
    with pytest.raises(CallerError, match="as many rows as k, 13, got 12"):
        together([DIGITS[:6], DIGITS[6:12]], {"k": 13})


def test_sparse_rows_of_hosts_get_one_width() -> None:
    rows = one_hot(DIGITS[:400])
    first, second = together([rows[:200, :1000], rows[200:]], {"k": 4})
    assert first.width == second.width == 1024
    assert first.centers.tobytes() == second.centers.tobytes()


def test_hosts_go_on_from_the_leaders_checkpoint(tmp_path: Path) -> None:
    parts = [np.ascontiguousarray(DIGITS[place::2]) for place in range(2)]
    hyperparameters = {"k": 10, "epochs": 3, "mini_batch_size": 200}
    undisturbed = together(parts, hyperparameters)

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

    def host(cluster: Cluster) -> KMeansModel:
        run = running(
            parts[cluster.rank], hyperparameters, cluster=cluster, checkpoints=Leaders(cluster)
        )
        return fit(run)

    for models in (on_each(NAMES[:2], host), on_each(NAMES[:2], host)):
        assert {model.centers.tobytes() for model in models} == {undisturbed[0].centers.tobytes()}


def test_only_the_leader_speaks() -> None:
    listeners = [Listener(), Listener()]

    def host(cluster: Cluster) -> None:
        fit(running(DIGITS, {"k": 3}, cluster=cluster, reporter=listeners[cluster.rank]))

    on_each(NAMES[:2], host)
    assert listeners[0].lines
    assert listeners[1].lines == listeners[1].metrics == []


def test_one_host_that_is_stopped_stops_all() -> None:
    rows_read = [0, 0]

    def host(cluster: Cluster) -> None:
        run = running(Batch(DIGITS), {"k": 3, "epochs": 1000, "mini_batch_size": 300},
                      cluster=cluster)  # fmt: skip
        if cluster.rank == 1:
            run.stopping.set()
        fit(run)
        rows_read[cluster.rank] = run.train.rows_read

    on_each(NAMES[:2], host)
    assert rows_read == [300, 300]
