"""Several hosts, each a thread with a communicator of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from clary.algorithms.svm.fit import fit
from clary.algorithms.svm.model import SVMModel
from clary.codecs.batch import Batch
from clary.kit.cluster import Cluster
from tests.algorithms.svm.training import BINARY, MULTI, NUMBER, batch_of, rows_of, running, trained
from tests.kit.clusters import on_each

NAMES = ("algo-1", "algo-2")


def together(parts: list[Batch], sharded: bool, **told: Any) -> list[tuple[SVMModel, list[str]]]:
    """Each host's model and log; part i are the rows of host i."""

    def host(cluster: Cluster) -> tuple[SVMModel, list[str]]:
        run = running(parts[cluster.rank], told, cluster=cluster)
        run.train.sharded = sharded
        return fit(run), run.reporter.lines  # type: ignore[attr-defined]

    return on_each(NAMES, host)


@pytest.mark.parametrize(
    "told", [{}, {"kernel": "linear"}, {"kernel": "linear", "loss": "hinge"}], ids=str
)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_hosts_that_share_the_classes_make_the_machine_of_one(told: Any, sparse: bool) -> None:
    whole = batch_of(MULTI, sparse=sparse)
    halves = [whole.slice(0, 150), whole.slice(150, 400)]
    told = {"predictor_type": MULTI, **told}
    (first, log), (second, _) = together(halves, True, **told)
    alone = trained(whole, **told)
    raw = first.machine.raw(whole.features)
    assert (raw == second.machine.raw(whole.features)).all()
    # The rows are in the order of one host's. libsvm does the same then; products of fewer classes
    # at once are rounded otherwise, and liblinear's draws differ
    apart = np.abs(raw - alone.machine.raw(whole.features)).max()
    assert apart < (1e-9 if "kernel" not in told else 1e-3 if "loss" not in told else 0.5)
    labels = [one.predict(whole)["predicted_label"] for one in (first, alone)]
    assert np.mean(labels[0] == labels[1]) > 0.99
    assert any("400 rows of 2 hosts are brought together" in line for line in log)


def test_hosts_that_read_the_same_rows_count_them_once() -> None:
    whole = batch_of(BINARY)
    (first, _), _ = together([whole, whole], False, predictor_type=BINARY)
    assert (first.decisions(whole) == trained(whole, predictor_type=BINARY).decisions(whole)).all()


@pytest.mark.parametrize("idle", [0, 1])
def test_a_host_without_rows_takes_part(idle: int) -> None:
    features, labels = rows_of(NUMBER)
    parts = [Batch(csr_array(features), labels)] * 2
    parts[idle] = Batch(np.zeros((0, 0), np.float32))
    (first, _), (second, _) = together(parts, True, predictor_type=NUMBER)
    assert first.width == second.width == 10
    whole = Batch(csr_array(features), labels)
    alone = trained(whole, predictor_type=NUMBER)
    assert (first.decisions(whole) == alone.decisions(whole)).all()


def test_weights_of_one_hosts_rows_count_beside_anothers_without() -> None:
    features, labels = rows_of(BINARY)
    weights = np.full(200, 2, np.float32)
    parts = [Batch(features[:200], labels[:200], weights), Batch(features[200:], labels[200:])]
    (first, _), _ = together(parts, True, predictor_type=BINARY)
    all_weights = np.repeat(np.array([2, 1], np.float32), 200)
    whole = Batch(features, labels, all_weights)
    alone = trained(whole, predictor_type=BINARY)
    assert np.abs(first.decisions(whole) - alone.decisions(whole)).max() < 1e-9


def test_probabilities_are_the_same_on_every_host() -> None:
    whole = batch_of(MULTI)
    halves = [whole.slice(0, 150), whole.slice(150, 400)]
    (first, _), (second, _) = together(halves, True, predictor_type=MULTI, probability=True)
    scores = [one.predict(whole)["score"] for one in (first, second)]
    assert (scores[0] == scores[1]).all()
