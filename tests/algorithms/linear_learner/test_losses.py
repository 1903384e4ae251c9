"""Losses: values as scikit-learn's where it has them, slopes as the values' differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import hinge_loss, log_loss, mean_absolute_error, mean_pinball_loss

from clary.algorithms.linear_learner.losses import Loss, loss_of
from clary.algorithms.linear_learner.spec import LOSSES, LinearLearnerHyperparameters

BINARY, REGRESSOR = "binary_classifier", "regressor"
MULTICLASS, MULTILABEL = "multiclass_classifier", "multilabel_classifier"
EACH = [(kind, loss) for kind, losses in LOSSES.items() for loss in losses]
RNG = np.random.default_rng(0)


def loss(kind: str, name: str, unit: float = 1.0, **params: Any) -> Loss:
    settled = {"predictor_type": kind, "loss": name, **params}
    return loss_of(LinearLearnerHyperparameters.parse(settled), unit)


def example(kind: str, rows: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Scores of one model and labels."""
    if kind == MULTICLASS:
        return RNG.normal(size=(1, 4, rows)), RNG.integers(0, 4, rows)
    if kind == MULTILABEL:
        return RNG.normal(size=(1, 3, rows)), RNG.integers(0, 2, (rows, 3))
    labels = RNG.integers(0, 2, rows) if kind == BINARY else RNG.normal(size=rows)
    return 2 * RNG.normal(size=(1, rows)), labels


def measured(one: Loss, scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and slopes."""
    slopes = scores.astype(np.float32)
    values = one.measure(slopes, labels.astype(np.float32))
    return values.astype(np.float64), slopes


@pytest.mark.parametrize(("kind", "name"), EACH)
def test_slopes_are_the_differences_of_values(kind: str, name: str) -> None:
    one = loss(kind, name)
    scores, labels = example(kind)
    step = 1e-2
    # The slope of a square is that of its half: wd then has the size of ridge regression's
    factor = 0.5 if name in {"squared_loss", "eps_insensitive_squared_loss"} else 1.0
    for output in range(scores.shape[1] if one.vector else 1):
        move = np.zeros_like(scores)
        move[(slice(None), output) if one.vector else ...] = step
        above, below = (measured(one, scores + way * move, labels)[0] for way in (1, -1))
        slopes = measured(one, scores, labels)[1]
        slope = slopes[:, output] if one.vector else slopes
        difference = factor * (above - below) / (2 * step)
        # A kink within the step spoils the difference of a row or two
        assert (np.abs(difference - slope) < 5e-3).mean() > 0.9


def test_values_are_those_of_scikit_learn() -> None:
    scores, labels = example(BINARY)
    chances = 1 / (1 + np.exp(-scores[0]))
    assert measured(loss(BINARY, "logistic"), scores, labels)[0].mean() == pytest.approx(
        log_loss(labels, chances), rel=1e-5
    )
    assert measured(loss(BINARY, "hinge_loss"), scores, labels)[0].mean() == pytest.approx(
        hinge_loss(2 * labels - 1, scores[0]), rel=1e-5
    )
    scores, labels = example(REGRESSOR)
    assert measured(loss(REGRESSOR, "absolute_loss"), scores, labels)[0].mean() == pytest.approx(
        mean_absolute_error(labels, scores[0]), rel=1e-5
    )
    for quantile in (0.2, 0.9):
        values, _ = measured(loss(REGRESSOR, "quantile_loss", quantile=quantile), scores, labels)
        assert values.mean() == pytest.approx(
            mean_pinball_loss(labels, scores[0], alpha=quantile), rel=1e-5
        )
    scores, labels = example(MULTICLASS)
    chances = np.exp(scores[0]) / np.exp(scores[0]).sum(axis=0)
    assert measured(loss(MULTICLASS, "softmax_loss"), scores, labels)[0].mean() == pytest.approx(
        log_loss(labels, chances.T), rel=1e-5
    )


def test_margin_moves_the_hinge() -> None:
    scores, labels = np.array([[0.5, 2.5, -1.0]]), np.array([1, 1, 1])
    assert measured(loss(BINARY, "hinge_loss"), scores, labels)[0].tolist() == [[0.5, 0, 2]]
    wide, slopes = measured(loss(BINARY, "hinge_loss", margin=3), scores, labels)
    assert wide.tolist() == [[2.5, 0.5, 4]]
    assert slopes.tolist() == [[-1, -1, -1]]


def test_huber_is_square_up_to_delta_and_linear_beyond() -> None:
    scores, labels = np.array([[0.5, -2.0, 4.0]]), np.zeros(3)
    values, slopes = measured(loss(REGRESSOR, "huber_loss", huber_delta=2), scores, labels)
    assert values.tolist() == [[0.125, 2, 6]]
    assert slopes.tolist() == [[0.5, -2, 2]]


@pytest.mark.parametrize(("power", "name"), [(1, "absolute"), (2, "squared")])
def test_errors_within_the_insensitivity_count_as_none(power: int, name: str) -> None:
    scores, labels = np.array([[0.25, -0.5, 2.0]]), np.zeros(3)
    one = loss(REGRESSOR, f"eps_insensitive_{name}_loss", loss_insensitivity=0.5)
    values, slopes = measured(one, scores, labels)
    assert values.tolist() == [[0, 0, 1.5**power]]
    assert slopes[0, :2].tolist() == [0, 0]


@pytest.mark.parametrize("name", LOSSES[REGRESSOR])
def test_losses_of_scaled_labels_are_those_of_the_labels_in_their_unit(name: str) -> None:
    unit, (scores, labels) = 50.0, example(REGRESSOR)
    params = {"huber_delta": 40, "loss_insensitivity": 20}
    whole, _ = measured(loss(REGRESSOR, name, **params), unit * scores, unit * labels)
    scaled = loss(REGRESSOR, name, unit, **params)
    values, _ = measured(scaled, scores, labels)
    np.testing.assert_allclose(values * scaled.unit, whole, rtol=1e-4, atol=1e-3)


def test_scores_far_out_stay_finite() -> None:
    scores = np.array([[1e6, -1e6, 1e6]])
    values, slopes = measured(loss(BINARY, "logistic"), scores, np.array([0, 1, 1]))
    assert np.isfinite(values).all()
    np.testing.assert_allclose(slopes, [[1, -1, 0]], atol=1e-6)
    many = np.array([[[1e6], [0.0], [-1e6]]])
    values, slopes = measured(loss(MULTICLASS, "softmax_loss"), many, np.array([2]))
    assert values.tolist() == [[2e6]]
    np.testing.assert_allclose(slopes[0, :, 0], [1, 0, -1])
