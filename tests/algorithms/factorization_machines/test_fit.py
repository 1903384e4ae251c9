"""Trainings: how good they are on real data, and what each hyperparameter does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, f1_score, log_loss, root_mean_squared_error
from sklearn.svm import SVC

from clary import settings
from clary.codecs.batch import Batch
from clary.errors import CallerError
from tests.algorithms.factorization_machines.training import (
    BINARY,
    DIABETES,
    DIGITS,
    PIXELS,
    REGRESSOR,
    TUMORS,
    heard,
    score,
    some,
    state,
    trained,
)

QUICK = {"epochs": 20, "factors_lr": 0.01, "linear_lr": 0.01, "factors_init_sigma": 0.05}


def split(batch: Batch) -> tuple[Batch, Batch]:
    """Four fifths and the rest."""
    held_out = np.random.default_rng(0).permutation(batch.rows) < batch.rows // 5
    return some(batch, ~held_out), some(batch, held_out)


def ratings(rank: int, seed: int = 0) -> tuple[Batch, Batch, float]:
    """Users' ratings of films as MovieLens has them, and the noise that nothing can predict.

    Each of 300 users rates some of 200 films: a mean, what the user and the film add, the product
    of `rank` tastes and traits, noise.
    """
    draw = np.random.default_rng(seed)
    user, film = draw.integers(0, 300, 30_000), draw.integers(0, 200, 30_000)
    tastes, traits = draw.normal(0, 0.8, (300, rank)), draw.normal(0, 0.8, (200, rank))
    added = draw.normal(0, 0.4, 300)[user] + draw.normal(0, 0.5, 200)[film]
    noise, sigma = draw.normal(0, 0.5, len(user)), 0.5
    rating = 3.5 + added + (tastes[user] * traits[film]).sum(axis=1) + noise
    columns = np.column_stack([user, 300 + film]).ravel().astype(np.int32)
    ends = np.arange(0, len(columns) + 1, 2, dtype=np.int32)
    rows = csr_array((np.ones(len(columns), np.float32), columns, ends), shape=(len(user), 500))
    train, test = split(Batch(rows, rating.astype(np.float32)))
    return train, test, sigma


def test_pairs_of_pixels_tell_odd_digits_as_no_linear_model_does() -> None:
    train, test = split(PIXELS)
    found = score(trained(train, {**BINARY, **QUICK, "factors_wd": 0.001}), test)
    straight, bent = (
        machine.fit(train.features, train.labels()).score(test.features, test.labels())
        for machine in (LogisticRegression(), SVC(kernel="poly", degree=2, coef0=1))
    )
    # 0.978, of which a row is 0.003, beside 0.928 and 0.978
    assert found["test:binary_classification_accuracy"] > straight + 0.03
    assert found["test:binary_classification_accuracy"] > bent - 0.01
    assert found["test:binary_classification_cross_entropy"] < 0.09


def test_sparse_shades_tell_odd_digits_better_than_a_linear_model_does() -> None:
    train, test = split(DIGITS)
    found = score(trained(train, {**BINARY, **QUICK, "num_factors": 16, "factors_wd": 0.003}), test)
    straight = LogisticRegression(C=0.1).fit(train.features, train.labels())
    # 0.92 beside 0.89
    peer = straight.score(test.features, test.labels())
    assert found["test:binary_classification_accuracy"] > peer + 0.01


def test_tumors_are_told_as_well_as_by_logistic_regression() -> None:
    train, test = split(TUMORS)
    found = score(trained(train, {**BINARY, **QUICK, "factors_lr": 0.001}), test)
    peer = LogisticRegression().fit(train.features, train.labels())
    loss = log_loss(test.labels(), peer.predict_proba(test.features))
    assert found["test:binary_classification_cross_entropy"] < loss + 0.02


def test_diabetes_is_predicted_as_well_as_by_ridge_regression() -> None:
    train, test = split(DIABETES)
    settled = {**REGRESSOR, "bias_lr": 5, "linear_lr": 0.5, "factors_lr": 0.001, "epochs": 100}
    found = score(trained(train, settled), test)["test:rmse"]
    peer = Ridge(10).fit(train.features, train.labels())
    assert found < 1.02 * root_mean_squared_error(test.labels(), peer.predict(test.features))


def test_ratings_are_predicted_nearly_as_well_as_noise_allows() -> None:
    train, test, sigma = ratings(rank=3)
    settled = {**REGRESSOR, **QUICK, "bias_lr": 0.05, "epochs": 15, "factors_wd": 0.0003}
    found = score(trained(train, settled), test)["test:rmse"]
    # The 500 vectors are learned from 24,000 rows: what is not known of them adds to the noise.
    # Without pairs the error is 1.2
    assert found < 1.15 * sigma


def test_scores_are_scikit_learns() -> None:
    model = trained(DIGITS, {**BINARY, "epochs": 2, "factors_lr": 0.01})
    answers, label = model.predict(DIGITS), DIGITS.labels()
    found = score(model, DIGITS)
    predicted = np.asarray(answers["predicted_label"])
    wanted = {
        "test:binary_classification_accuracy": accuracy_score(label, predicted),
        "test:binary_classification_cross_entropy": log_loss(label, answers["score"]),
        "test:binary_f_beta": f1_score(label, predicted),
    }
    assert found == pytest.approx(wanted, rel=1e-5)
    regressor = trained(DIABETES, REGRESSOR)
    error = np.asarray(regressor.predict(DIABETES)["score"]) - DIABETES.labels()
    wanted = {
        "test:rmse": float(np.sqrt(np.mean(error**2))),
        "test:mse": float(np.mean(error**2)),
        "test:absolute_loss": float(np.mean(np.abs(error))),
    }
    assert score(regressor, DIABETES) == pytest.approx(wanted, rel=1e-5)


def test_a_test_channel_of_one_class_is_scored() -> None:
    model = trained(DIGITS, {**BINARY, **QUICK})
    even = some(DIGITS, DIGITS.labels() == 0)
    found = score(model, even)
    assert found["test:binary_classification_accuracy"] > 0.9
    assert found["test:binary_f_beta"] == 0


def test_dense_rows_give_the_model_of_sparse_ones() -> None:
    dense = Batch(DIGITS.dense(), DIGITS.label)
    stored = DIGITS.sparse().copy()
    stored.data[::7] = 0
    zeros = Batch(stored, DIGITS.label)
    gone = Batch(csr_array(stored.toarray()), DIGITS.label)
    assert state(trained(DIGITS, BINARY)) == state(trained(dense, BINARY))
    assert state(trained(zeros, BINARY)) == state(trained(gone, BINARY))


def test_many_rows_are_answered_as_each_alone() -> None:
    model = trained(DIGITS, BINARY)
    # Five times all rows and a few: three chunks, which two threads share
    many = some(DIGITS, np.arange(5 * DIGITS.rows + 20) % DIGITS.rows)
    found = np.asarray(model.predict(many)["score"])
    alone = [float(model.predict(some(DIGITS, [row]))["score"][0]) for row in range(20)]
    assert found[:20].tolist() == found[-20:].tolist() == alone
    with settings.threads_set(1):
        np.testing.assert_array_equal(found, model.predict(many)["score"])


def test_rows_are_shuffled_so_that_sorted_ones_are_learned_too() -> None:
    train, test = split(DIGITS)
    ordered = some(train, np.argsort(train.labels(), kind="stable"))
    found = score(trained(ordered, {**BINARY, **QUICK}), test)
    # As many as without an order: 0.91; unshuffled, the last rows' class alone would be answered
    assert found["test:binary_classification_accuracy"] > 0.88


def test_weights_count_as_rows_given_more_than_once() -> None:
    once = {**BINARY, "mini_batch_size": 10_000, "rescale_grad": 0.001}
    weights = np.random.default_rng(0).integers(1, 4, DIGITS.rows)
    weighed = Batch(DIGITS.features, DIGITS.label, weights.astype(np.float32))
    repeated = some(DIGITS, np.repeat(np.arange(DIGITS.rows), weights))
    one, other = trained(weighed, once), trained(repeated, once)
    np.testing.assert_allclose(one.factors, other.factors, atol=1e-6)
    assert one.bias == pytest.approx(other.bias, abs=1e-6)


def beginning(**hyperparameters: Any) -> Any:
    """A model that has not learned: all rates are 0."""
    still = {"bias_lr": 0, "linear_lr": 0, "factors_lr": 0, "num_factors": 64}
    return trained(DIGITS, {**BINARY, **still, **hyperparameters})


def test_the_beginning_is_normal_with_the_given_deviations() -> None:
    model = beginning(factors_init_sigma=0.3, linear_init_sigma=2, bias_init_sigma=0)
    assert model.bias == 0
    # 65,536 and 1,024 draws: three standard errors
    assert model.factors.std() == pytest.approx(0.3, rel=0.01)
    assert model.linear.std() == pytest.approx(2, rel=0.07)
    assert abs(model.factors.mean()) < 0.3 * 3 / 256


def test_the_beginning_is_uniform_between_the_given_limits() -> None:
    drawn = {f"{group}_init_method": "uniform" for group in ("bias", "linear", "factors")}
    model = beginning(**drawn, factors_init_scale=0.5, linear_init_scale=2, bias_init_scale=1)
    assert -1 <= model.bias <= 1
    for values, limit in ((model.factors, 0.5), (model.linear, 2)):
        assert np.abs(values).max() <= limit
        assert values.max() > 0.98 * limit
        assert values.min() < -0.98 * limit
        assert values.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)


def test_the_beginning_is_constant_at_the_given_values() -> None:
    same = {f"{group}_init_method": "constant" for group in ("bias", "linear", "factors")}
    model = beginning(**same, factors_init_value=0.25, linear_init_value=-1, bias_init_value=3)
    assert model.bias == 3
    assert set(model.linear.tolist()) == {-1}
    assert set(model.factors.ravel().tolist()) == {0.25}


def test_without_bias_or_linear_weights_there_are_none() -> None:
    model, listener = heard(DIGITS, {**BINARY, **QUICK, "use_bias": "false", "use_linear": "false",
                                     "linear_lr": 0.5})  # fmt: skip
    assert model.bias == 0
    assert not model.linear.any()
    assert model.factors.any()
    said = [line for line in listener.lines if "not used" in line]
    assert said == ["use_bias is false: not used", "use_linear is false, linear_lr: not used"]


def test_what_has_no_effect_is_said() -> None:
    _, listener = heard(DIGITS, {**BINARY, "linear_init_scale": 1, "bias_init_method": "constant",
                                 "bias_init_value": 1, "bias_init_sigma": 2})  # fmt: skip
    assert [line for line in listener.lines if "not used" in line] == [
        "bias_init_sigma: not used, as bias_init_method is constant",
        "linear_init_scale: not used, as linear_init_method is normal",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"factors_init_method": "uniform"}, "factors_init_scale: must be given when"),
        ({"bias_init_method": "constant"}, "bias_init_value: must be given when"),
        ({"eps": 0}, "eps: must be above 0"),
        ({"_optimizer": "sgd"}, "_optimizer: must be one of adam"),
        ({"num_factors": 0}, "num_factors: must be at least 1"),
        ({"predictor_type": "multiclass"}, "predictor_type: must be one of binary_classifier"),
    ],
)
def test_hyperparameters_that_cannot_be_followed_are_refused(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(CallerError, match=said):
        trained(DIGITS, {**BINARY, **given})


def test_batch_metrics_are_told_at_the_interval_and_epochs_sum_them_up() -> None:
    settled = {**BINARY, "batch_metrics_publish_interval": 6, "epochs": 2}
    _, listener = heard(DIGITS, settled)
    # 18 mini-batches an epoch
    assert len(listener.values("train:binary_f_beta:batch")) == 2 * 3
    assert "#quality_metric: host=algo-1, epoch=1, batch=12 train" in " ".join(listener.lines)
    _, each = heard(DIGITS, {**settled, "batch_metrics_publish_interval": 1, "epochs": 1})
    losses = each.values("train:binary_classification_cross_entropy:batch")
    rows = np.append(np.full(17, 100), 97)
    (whole,) = each.values("train:binary_classification_cross_entropy:epoch")
    assert whole == pytest.approx(np.average(losses, weights=rows), rel=1e-12)
    assert each.values("train:binary_classification_cross_entropy") == [whole]


def test_another_seed_gives_another_model_and_the_same_the_same_bytes() -> None:
    one, again, other = (trained(DIGITS, BINARY, seed=seed) for seed in (1, 1, 2))
    assert state(one) == state(again) != state(other)
