"""Several hosts, each a thread with a communicator of its own."""

from __future__ import annotations

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
    REGRESSOR,
    running,
    score,
    some,
    state,
    trained,
)
from tests.algorithms.listening import Listener
from tests.kit.clusters import on_each

NAMES = ("algo-1", "algo-2", "algo-3")
QUICK = {**BINARY, "epochs": 5, "factors_lr": 0.01, "linear_lr": 0.01}


def together(
    parts: list[Batch], hyperparameters: dict[str, Any], **rest: Any
) -> list[FactorizationMachinesModel]:
    """The model of every host; part i are the rows of host i."""

    def host(cluster: Cluster) -> FactorizationMachinesModel:
        return fit(running(parts[cluster.rank], hyperparameters, cluster=cluster, **rest))

    return on_each(NAMES[: len(parts)], host)


def dealt(rows: Batch, hosts: int) -> list[Batch]:
    return [some(rows, np.arange(place, rows.rows, hosts)) for place in range(hosts)]


def test_hosts_take_the_steps_that_one_takes_with_all_their_rows() -> None:
    # Mini-batches of all rows, so that both have the same in each
    whole = {**QUICK, "mini_batch_size": DIGITS.rows, "epochs": 3, "factors_init_sigma": 0.1}
    first, second, third = together(dealt(DIGITS, 3), whole)
    assert state(first) == state(second) == state(third)
    alone = trained(DIGITS, whole)
    # Sums have another order; Adam makes steps of 0.01 where gradients are nearly 0, too
    distance = np.sort(np.abs(first.factors - alone.factors).ravel())
    assert distance[int(0.99 * len(distance))] < 1e-5
    assert distance[-1] < 0.01


def test_hosts_learn_as_well_as_one() -> None:
    first, _ = together(dealt(DIGITS, 2), QUICK)
    found, alone = score(first, DIGITS), score(trained(DIGITS, QUICK), DIGITS)
    for name, value in alone.items():
        assert found[name] == pytest.approx(value, rel=0.1)


@pytest.mark.parametrize("idle", [0, 1])
def test_a_host_without_rows_or_with_fewer_takes_part(idle: int) -> None:
    for rows in (0, 150):
        parts = [DIGITS, DIGITS]
        parts[idle] = some(DIGITS, slice(0, rows))
        first, second = together(parts, QUICK)
        assert state(first) == state(second)
        assert score(first, DIGITS)["test:binary_classification_accuracy"] > 0.85


def test_each_hosts_rows_may_be_of_one_class() -> None:
    odd = DIGITS.labels() == 1
    first, _ = together([some(DIGITS, odd), some(DIGITS, ~odd)], QUICK)
    assert score(first, DIGITS)["test:binary_classification_accuracy"] > 0.85
    with pytest.raises(CallerError, match="needs rows of both classes"):
        together([some(DIGITS, odd), some(DIGITS, odd)], QUICK)


def test_sparse_rows_of_hosts_get_one_width() -> None:
    narrow = Batch(DIGITS.sparse()[:200, :1000], DIGITS.labels()[:200])
    first, second = together([narrow, DIGITS], {**REGRESSOR})
    assert first.width == second.width == 1024
    assert state(first) == state(second)


def test_only_the_leader_speaks() -> None:
    listeners = [Listener(), Listener()]

    def host(cluster: Cluster) -> None:
        fit(running(DIGITS, BINARY, cluster=cluster, reporter=listeners[cluster.rank]))

    on_each(NAMES[:2], host)
    assert listeners[0].lines
    assert listeners[1].lines == listeners[1].metrics == []


def test_one_host_that_is_stopped_stops_all() -> None:
    rows_told = [0.0, 0.0]

    def host(cluster: Cluster) -> None:
        run = running(DIGITS, {**BINARY, "epochs": 1000}, cluster=cluster)
        if cluster.rank == 1:
            run.stopping.set()
        fit(run)
        assert isinstance(run.reporter, Listener)
        rows_told[cluster.rank] = len(run.reporter.values("train:progress"))

    on_each(NAMES[:2], host)
    assert rows_told == [1, 0]
