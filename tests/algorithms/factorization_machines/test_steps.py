"""Steps, one by one, against the same machine in plain torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from clary import settings
from clary.algorithms.factorization_machines.learner import Learner
from clary.algorithms.factorization_machines.minibatches import Passes
from clary.algorithms.factorization_machines.model import FactorizationMachinesModel
from clary.algorithms.factorization_machines.spec import FactorizationMachinesHyperparameters
from clary.algorithms.factorization_machines.tables import Tables, first_tables
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.cluster import Cluster
from tests.algorithms.factorization_machines.reference import Reference
from tests.algorithms.factorization_machines.training import BINARY, DIABETES, DIGITS, REGRESSOR

# So that vectors are as large as after some training
LARGE = {"factors_init_sigma": 0.1, "factors_lr": 0.01, "linear_lr": 0.01, "factors_wd": 0.01}


def stepped(
    rows: Batch, hyperparameters: dict[str, Any], steps: int
) -> tuple[Tables, Reference, FactorizationMachinesHyperparameters]:
    """The tables after some steps, and the reference after the same ones."""
    params = FactorizationMachinesHyperparameters.parse(hyperparameters)
    tables = first_tables(params, rows.width, np.random.default_rng(0))
    reference = Reference(model_of(tables, params), params)
    channel = MemoryChannel("train", rows)
    kind = params.predictor_type
    passes = Passes(channel, kind, rows.width, params.mini_batch_size, 0)
    taken = []
    with Learner(params, tables, Cluster()) as learner:
        for _, batch in zip(range(steps), passes.minibatches(0), strict=False):
            taken.append(Batch(batch.window.features[batch.chosen], batch.label))
            learner.learn(batch, False)
    reference.learn(taken)
    assert tables.steps == len(taken) == steps
    return tables, reference, params


def model_of(
    tables: Tables, params: FactorizationMachinesHyperparameters
) -> FactorizationMachinesModel:
    linear, factors = tables.linear[:, 0].copy(), tables.factors.copy()
    return FactorizationMachinesModel(params, float(tables.bias[0]), linear, factors)


@pytest.mark.parametrize("rows", [DIGITS, DIABETES], ids=["sparse", "dense"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"clip_gradient": 0.003},
        {"rescale_grad": 0.5, "eps": 0.01},
        {"_learning_rate": 0.1, "_wd": 3.0},
        {"mini_batch_size": 1},
        {"num_factors": 1},
        {"num_factors": 67},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [BINARY, REGRESSOR], ids=["binary", "regressor"])
def test_a_step_is_that_of_torch(rows: Batch, kind: dict[str, Any], more: dict[str, Any]) -> None:
    label = rows.labels()
    if kind is BINARY:
        label = (label > np.median(label)).astype(np.float32)
    elif label.max() > 10:
        # Of a size at which float32 has seven digits behind the point
        label = label / 100
    rows = Batch(rows.features, label)
    tables, reference, params = stepped(rows, {**kind, **LARGE, **more}, 1)
    distances = reference.distances(model_of(tables, params))
    # A step moves parameters by their learning rates, 0.01 here, whatever the size of the gradient:
    # where that is nearly 0, the rounding of float32 counts
    assert distances[int(0.995 * len(distances))] < 1e-6
    assert distances[-1] < 1e-4


@pytest.mark.parametrize("kind", [BINARY, REGRESSOR], ids=["binary", "regressor"])
def test_many_steps_are_those_of_torch(kind: dict[str, Any]) -> None:
    tables, reference, params = stepped(DIGITS, {**kind, **LARGE}, 18)
    distances = reference.distances(model_of(tables, params))
    assert distances[int(0.99 * len(distances))] < 1e-5
    assert distances[-1] < 1e-3
    rows = torch.tensor(DIGITS.dense()).double()
    scores = model_of(tables, params).margins(DIGITS)
    np.testing.assert_allclose(scores, reference.scores(rows).detach().numpy(), atol=1e-3)


def test_without_decay_steps_are_those_of_torchs_sparse_adam() -> None:
    settled = {**BINARY, **LARGE, "factors_wd": 0, "linear_wd": 0}
    params = FactorizationMachinesHyperparameters.parse(settled)
    tables = first_tables(params, DIGITS.width, np.random.default_rng(0))
    factors = torch.nn.Embedding.from_pretrained(
        torch.tensor(tables.factors).double(), freeze=False, sparse=True
    )
    optimizer = torch.optim.SparseAdam(factors.parameters(), lr=params.factors_lr)
    passes = Passes(MemoryChannel("train", DIGITS), "binary_classifier", DIGITS.width, 100, 0)
    with Learner(params, tables, Cluster()) as learner:
        for batch in passes.minibatches(0):
            x = batch.window.features[batch.chosen]
            linear = torch.tensor(x @ tables.linear[:, 0].astype(np.float64) + tables.bias[0])
            rows = np.repeat(np.arange(batch.rows), np.diff(x.indptr))
            vectors = factors(torch.tensor(x.indices.astype(np.int64)))
            sums = torch.zeros(batch.rows, 8).double().index_add(0, torch.tensor(rows), vectors)
            squares = torch.zeros_like(sums).index_add(0, torch.tensor(rows), vectors**2)
            score = linear + (sums**2 - squares).sum(dim=1) / 2
            label = torch.tensor(batch.label).double()
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                score, label, reduction="sum"
            )
            optimizer.zero_grad()
            (losses / 100).backward()
            optimizer.step()
            learner.learn(batch, False)
    found = factors.weight.detach().numpy()
    np.testing.assert_allclose(tables.factors, found, rtol=0, atol=1e-4)


def test_features_that_do_not_occur_stay_as_they_are() -> None:
    settled = {**BINARY, **LARGE}
    params = FactorizationMachinesHyperparameters.parse(settled)
    start = first_tables(params, DIGITS.width, np.random.default_rng(0))
    tables, _, _ = stepped(DIGITS, settled, 18)
    absent = np.asarray(DIGITS.sparse().sum(axis=0) == 0)
    assert 100 < absent.sum() < 900
    same = (tables.factors == start.factors).all(axis=1)
    np.testing.assert_array_equal(same, absent)


@pytest.mark.parametrize("hyperparameters", [{}, {"num_factors": 100, "mini_batch_size": 1000}])
def test_bits_do_not_depend_on_threads(hyperparameters: dict[str, Any]) -> None:
    found = []
    for threads in (1, 2, 3):
        with settings.threads_set(threads):
            tables, _, _ = stepped(DIGITS, {**BINARY, **LARGE, **hyperparameters}, 1)
            found.append(tables)
    for other in found[1:]:
        assert found[0].factors.tobytes() == other.factors.tobytes()
        assert found[0].linear.tobytes() == other.linear.tobytes()
        assert found[0].bias.tobytes() == other.bias.tobytes()
