"""Sparse rows stay sparse, and give the model that dense ones give."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from clary.algorithms.linear_learner.fit import fit
from clary.algorithms.linear_learner.survey import survey_of
from clary.codecs.batch import Batch
from tests.algorithms.linear_learner.training import running, trained, words
from tests.algorithms.listening import Listener

BINARY = "binary_classifier"


def is_sparse(batch: Batch, **params: object) -> bool:
    return survey_of(running({"predictor_type": BINARY, **params}, batch)).preparation.sparse


def test_only_sparse_rows_that_are_fairly_empty_stay_sparse() -> None:
    empty = words(300, 500)
    full = Batch(csr_array(np.ones((300, 20), np.float32)), empty.label)
    assert is_sparse(empty)
    assert not is_sparse(full)
    assert not is_sparse(Batch(empty.dense(), empty.label))
    assert not is_sparse(empty, unbias_data=True)


def test_a_full_but_very_wide_matrix_stays_sparse() -> None:
    width = 200_000
    features = random_array(
        (20, width), density=0.1, rng=np.random.default_rng(0), format="csr", dtype=np.float32
    )
    assert is_sparse(Batch(csr_array(features), np.arange(20, dtype=np.float32) % 2))


def test_sparse_and_dense_rows_give_equally_good_models() -> None:
    train, validation, test = (words(4000, 300, seed) for seed in range(3))
    losses = []
    for make in (lambda batch: batch, lambda batch: Batch(batch.dense(), batch.label)):
        model, _ = trained({"predictor_type": BINARY}, make(train), make(validation))
        losses.append(log_loss(test.label, model.predict(test)["score"].astype(float)))
    best = LogisticRegression(max_iter=1000).fit(train.features, train.label)
    optimum = log_loss(test.label, best.predict_proba(test.features)[:, 1])
    # Columns that do not occur in a mini-batch stand still, so that the paths differ
    assert losses[0] <= 1.01 * min(losses[1], optimum)


@pytest.mark.parametrize("kind", ["multiclass_classifier", "regressor", "multilabel_classifier"])
def test_every_kind_of_target_takes_sparse_rows(kind: str) -> None:
    features, digit = load_digits(return_X_y=True)
    features[features < 12] = 0
    labels = {
        "multiclass_classifier": digit,
        "regressor": digit,
        "multilabel_classifier": np.column_stack([digit > 4, digit % 2]),
    }[kind].astype(np.float32)
    wide = np.hstack([features, np.zeros((len(features), 600))]).astype(np.float32)
    params = {"predictor_type": kind, "num_models": 4, "epochs": 10, "unbias_data": False}
    losses = [
        trained(params, Batch(some, labels))[1].values("train:objective_loss:final")[0]
        for some in (csr_array(wide), wide)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)


def test_rows_narrower_than_feature_dim_are_widened() -> None:
    batch = words(500, 200)
    params = {"predictor_type": BINARY, "num_models": 1, "epochs": 2, "feature_dim": 260}
    model, _ = trained(params, batch)
    assert model.width == 260
    assert (model.weights[0, 200:] == 0).all()
    assert model.predict(batch)["score"].shape == (500,)


def test_a_wide_matrix_takes_memory_for_what_it_holds() -> None:
    width = 400_000
    batch = words(20_000, width)  # 32 GB if it were dense
    params = {"predictor_type": BINARY, "num_models": 2, "epochs": 1}
    run = running(params, batch)
    tracemalloc.start()
    try:
        fit(run)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Weights, two moments, their average and best for two models are 16 MB; statistics of columns
    # in double precision as much again; rows with their copies 20 MB
    assert peak < 150 * 2**20


def test_the_sample_of_full_sparse_rows_is_bounded() -> None:
    rows, width, held = 10_000, 100_000, 1_000
    columns = np.random.default_rng(0).integers(0, width, rows * held, dtype=np.int32)
    ends = np.arange(rows + 1, dtype=np.int32) * held
    features = csr_array((np.ones(rows * held, np.float32), columns, ends), shape=(rows, width))
    batch = Batch(features, np.arange(rows, dtype=np.float32) % 2)
    run = running({"predictor_type": BINARY}, batch)
    # 80 MB in all; the sample is 64 MiB
    assert survey_of(run).sample.rows < rows
    assert isinstance(run.reporter, Listener)
    assert any("the scaler learns from the first" in line for line in run.reporter.lines)
