"""Several hosts, each a thread with a communicator of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

from clary.algorithms.linear_learner.fit import fit
from clary.algorithms.linear_learner.model import LinearLearnerModel
from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.kit.cluster import Cluster
from tests.algorithms.linear_learner.training import many_rows, running, trained, words
from tests.algorithms.listening import Listener
from tests.kit.clusters import on_each

NAMES = ("algo-1", "algo-2", "algo-3")


class Nothing(Channel):
    """The channel of a host for which no file is left."""

    def blocks(self, epoch: int) -> Any:
        yield from ()


def together(
    params: dict[str, Any], parts: list[Batch | None], validation: Batch | None = None
) -> list[tuple[LinearLearnerModel, Listener]]:
    """Model and log of every host; each has its part of train and all of validation."""
    names = NAMES[: len(parts)]

    def work(cluster: Cluster) -> tuple[LinearLearnerModel, Listener]:
        part = parts[names.index(cluster.host)]
        some = part or Batch(np.zeros((1, 1), np.float32))
        run = running(params, some, validation, cluster=cluster)
        if part is None:
            run.channels = {**run.channels, "train": Nothing("train")}
        model = fit(run)
        assert isinstance(run.reporter, Listener)
        return model, run.reporter

    return on_each(names, work)


def dealt(batch: Batch, hosts: int) -> list[Batch | None]:
    return [
        Batch(batch.features[host::hosts], batch.labels()[host::hosts]) for host in range(hosts)
    ]


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_hosts_agree_to_the_bit_and_are_as_good_as_one(kind: str) -> None:
    if kind == "sparse":
        train, validation, test = (words(3000, 300, seed) for seed in range(3))
    else:
        train, validation, test = many_rows(3000)
    params = {"predictor_type": "binary_classifier"}
    (first, heard), (second, silent) = together(params, dealt(train, 2), validation)
    np.testing.assert_array_equal(first.weights, second.weights)
    assert (first.bias, first.threshold) == (second.bias, second.threshold)
    assert silent.lines == silent.metrics == []
    alone, _ = trained(params, train, validation)
    losses = [
        log_loss(test.label, model.predict(test)["score"].astype(float)) for model in (first, alone)
    ]
    # Only the order of rows differs; where a model has 300 weights for 3000 rows it matters more
    assert losses[0] == pytest.approx(losses[1], rel=0.01 if kind == "dense" else 0.03)
    assert heard.epochs > 1


def test_hosts_of_unequal_shares_and_one_without_rows_agree() -> None:
    train, _, test = many_rows(2000)
    params = {"predictor_type": "binary_classifier", "num_models": 4, "epochs": 5}
    parts: list[Batch | None] = [train.slice(0, 1500), None, train.slice(1500, 2000)]
    found = [model for model, _ in together(params, parts)]
    for model in found[1:]:
        np.testing.assert_array_equal(model.weights, found[0].weights)
    alone, _ = trained(params, train)
    losses = [
        log_loss(test.label, model.predict(test)["score"].astype(float))
        for model in (found[0], alone)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.03)


def test_classes_that_one_host_does_not_see_are_known_to_all() -> None:
    draw = np.random.default_rng(0)
    labels = np.sort(draw.integers(0, 4, 400)).astype(np.float32)
    features = (draw.normal(size=(400, 5)) + labels[:, None]).astype(np.float32)
    batch = Batch(features, labels)
    params = {"predictor_type": "multiclass_classifier", "num_models": 2, "epochs": 4}
    found = together(params, [batch.slice(0, 200), batch.slice(200, 400)])
    assert [model.outputs for model, _ in found] == [4, 4]
    np.testing.assert_array_equal(found[0][0].weights, found[1][0].weights)
