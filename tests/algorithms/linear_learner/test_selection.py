"""Thresholds are the best there are, and training ends when nothing improves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, fbeta_score, precision_score, recall_score

from clary.algorithms.linear_learner.selection import (
    EarlyStopping,
    calibrate,
    first_of_the_lowest,
)
from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 60).astype(np.float32)
SCORES = np.round(RNG.uniform(size=60) + 0.4 * LABELS, 1).astype(np.float32)
THRESHOLDS = np.unique(np.concatenate([[-1.0, 2.0], (np.unique(SCORES) + 0.05)]))


def cut(threshold: float) -> np.ndarray:
    """What a threshold labels 1."""
    return np.greater_equal(SCORES, threshold)


def calibrated(criterion: str, **params: Any) -> tuple[float, float]:
    settled = {
        "predictor_type": "binary_classifier",
        "binary_classifier_model_selection_criteria": criterion,
        **params,
    }
    return calibrate(SCORES, LABELS, LinearLearnerHyperparameters.parse(settled), 0.5)


def best(
    score: Callable[..., float], holds: Callable[[np.ndarray], bool] = lambda _: True
) -> float:
    """The highest score of all thresholds that hold something."""
    return max(score(LABELS, one) for one in map(cut, THRESHOLDS) if holds(one))


@pytest.mark.parametrize(
    ("params", "score"),
    [
        ({"criterion": "accuracy"}, accuracy_score),
        ({"criterion": "f1"}, lambda y, p: fbeta_score(y, p, beta=1)),
        ({"criterion": "f_beta"}, lambda y, p: fbeta_score(y, p, beta=1)),
        ({"criterion": "f_beta", "f_beta": 3}, lambda y, p: fbeta_score(y, p, beta=3)),
        ({"criterion": "f_beta", "f_beta": 0.2}, lambda y, p: fbeta_score(y, p, beta=0.2)),
    ],
    ids=["accuracy", "f1", "f_beta", "f_beta of 3", "f_beta of 0.2"],
)
def test_no_threshold_has_a_higher_criterion(
    params: dict[str, Any], score: Callable[..., float]
) -> None:
    threshold, value = calibrated(**params)
    assert value == pytest.approx(best(score))
    assert score(LABELS, cut(threshold)) == pytest.approx(value)


@pytest.mark.parametrize("target", [0.5, 0.8, 0.95])
def test_precision_is_the_highest_at_the_target_recall(target: float) -> None:
    threshold, value = calibrated("precision_at_target_recall", target_recall=target)
    assert recall_score(LABELS, cut(threshold)) >= target
    assert value == pytest.approx(
        best(precision_score, lambda one: recall_score(LABELS, one) >= target)
    )


@pytest.mark.parametrize("target", [0.6, 0.8, 0.9])
def test_recall_is_the_highest_at_the_target_precision(target: float) -> None:
    threshold, value = calibrated("recall_at_target_precision", target_precision=target)
    assert precision_score(LABELS, cut(threshold)) >= target
    assert value == pytest.approx(
        best(recall_score, lambda one: one.any() and precision_score(LABELS, one) >= target)
    )


def test_a_target_that_cannot_be_held_is_missed_by_as_little_as_can_be() -> None:
    wrong_way = LinearLearnerHyperparameters.parse(
        {
            "predictor_type": "binary_classifier",
            "binary_classifier_model_selection_criteria": "recall_at_target_precision",
            "target_precision": 0.9,
        }
    )
    scores = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    labels = np.array([1, 1, 0, 0], np.float32)
    threshold, value = calibrate(scores, labels, wrong_way, 0.5)
    assert precision_score(labels, scores >= threshold) == 0.5
    assert value == pytest.approx(0.5 - 0.9)


def test_of_equally_good_thresholds_the_usual_one_is_nearest() -> None:
    params = LinearLearnerHyperparameters.parse({"predictor_type": "binary_classifier"})
    labels = np.array([0, 0, 1, 1], np.float32)
    scores = np.array([0.1, 0.2, 0.9, 0.95], np.float32)
    assert calibrate(scores, labels, params, 0.5)[0] == pytest.approx(0.55)


def test_of_losses_that_held_out_rows_cannot_tell_apart_the_first_is_taken() -> None:
    assert first_of_the_lowest(np.array([np.inf, 0.5001, 0.5, 0.7])) == 1
    assert first_of_the_lowest(np.array([0.51, 0.6, 0.5])) == 2


def test_training_ends_after_patience_epochs_without_improvement() -> None:
    stopping = EarlyStopping(patience=2, tolerance=0.01)
    for loss in (1.0, 0.5, 0.499):  # the last improves by less than the tolerance
        stopping.add(np.array([loss, np.inf]), None)
        assert not stopping.is_over
    stopping.add(np.array([0.6, np.inf]), None)
    assert stopping.is_over


def test_any_contender_keeps_a_training_going() -> None:
    stopping = EarlyStopping(patience=1, tolerance=0.01)
    stopping.add(np.array([0.50, 0.54]), None)
    stopping.add(np.array([0.50, 0.52]), None)
    assert not stopping.is_over
    stopping.add(np.array([0.50, 0.52]), None)
    assert stopping.is_over


def test_a_rising_criterion_keeps_a_training_going() -> None:
    stopping = EarlyStopping(patience=1, tolerance=0.01)
    for accuracy in (0.7, 0.8, 0.85):
        stopping.add(np.array([0.5]), accuracy)
        assert not stopping.is_over
    stopping.add(np.array([0.5]), 0.85)
    assert stopping.is_over
