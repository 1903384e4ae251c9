"""Several hosts, each a thread with a communicator of its own."""

from __future__ import annotations

from typing import Any

import pytest

from clary.algorithms.ipinsights.fit import fit
from clary.algorithms.ipinsights.model import IPInsightsModel
from clary.kit.cluster import Cluster
from tests.algorithms.ipinsights.test_fit import SIX
from tests.algorithms.ipinsights.training import HELD_OUT, TRAIN, bytes_of, heard, running
from tests.algorithms.listening import Listener
from tests.kit.clusters import on_each

NAMES = ("algo-1", "algo-2", "algo-3")


def together(parts: list[Any], **hyperparameters: Any) -> tuple[list[IPInsightsModel], Listener]:
    """The model of every host, and what the first one said; part i are the rows of host i."""
    listeners = [Listener() for _ in parts]

    def host(cluster: Cluster) -> IPInsightsModel:
        half = HELD_OUT[cluster.rank :: len(parts)]
        reporter = listeners[cluster.rank]
        settings = {"hyperparameters": hyperparameters, "cluster": cluster, "reporter": reporter}
        return fit(running(parts[cluster.rank], half, **settings))

    return on_each(NAMES[: len(parts)], host), listeners[0]


def test_hosts_have_the_same_model_as_good_as_that_of_one() -> None:
    models, said = together([TRAIN[at::3] for at in range(3)], num_ip_encoder_layers=2)
    assert len({bytes_of(model) for model in models}) == 1
    _, alone = heard(TRAIN, HELD_OUT, num_ip_encoder_layers=2)
    for name in ("validation:discriminator_auc", "train:binary_classification_cross_entropy:epoch"):
        # They draw other generated pairs
        assert said.values(name)[-1] == pytest.approx(alone.values(name)[-1], abs=0.02)


@pytest.mark.parametrize("idle", [0, 1])
def test_a_host_without_rows_takes_part(idle: int) -> None:
    parts = [TRAIN[:1500], TRAIN[:1500]]
    parts[idle] = []
    models, _ = together(parts, epochs=2)
    assert bytes_of(models[0]) == bytes_of(models[1])


def test_a_family_that_one_host_meets_all_learn() -> None:
    models, _ = together([TRAIN[:1000], SIX[:1000]], epochs=1)
    assert all(model.encoder.takes_six for model in models)
    assert bytes_of(models[0]) == bytes_of(models[1])


def test_one_host_that_is_stopped_stops_all() -> None:
    rows_read = [0, 0]

    def host(cluster: Cluster) -> None:
        run = running(TRAIN[:600], hyperparameters={"epochs": 1000}, cluster=cluster)
        if cluster.rank == 1:
            run.stopping.set()
        fit(run)
        rows_read[cluster.rank] = run.train.rows_read

    on_each(NAMES[:2], host)
    assert rows_read == [600, 600]
