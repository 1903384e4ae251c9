"""Steps equal those of optimizers written out for one model in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from clary.algorithms.linear_learner.candidates import Candidates
from clary.algorithms.linear_learner.losses import loss_of
from clary.algorithms.linear_learner.minibatches import MiniBatch
from clary.algorithms.linear_learner.optimizers import optimizer_of
from clary.algorithms.linear_learner.parallel_models import ParallelModels, Rules, Schedule
from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters

RNG = np.random.default_rng(0)
STEPS, ROWS, WIDTH = 12, 20, 5
ROWS_OF = [np.c_[RNG.normal(size=(ROWS, WIDTH)), np.ones(ROWS)] for _ in range(STEPS)]
LABELS_OF = [RNG.integers(0, 2, ROWS).astype(float) for _ in range(STEPS)]
START = RNG.normal(size=WIDTH + 1)
RATES, WDS, L1S = (0.1, 0.03), (0.0, 0.2), (0.0, 0.3)
BIAS_LR_MULT, BIAS_WD_MULT = 2.0, 0.5
SCHEDULE = Schedule(factor=0.5, every=4, minimum=0.02)


class Written:
    """The optimizers as their papers have them; `metric` divides the step and the L1 penalty."""

    def __init__(self) -> None:
        self.first = self.second = np.zeros(WIDTH + 1)
        self.steps = 0

    def adam(self, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.steps += 1
        self.first = 0.8 * self.first + 0.2 * gradient
        self.second = 0.95 * self.second + 0.05 * gradient**2
        first = 1 - 0.8**self.steps
        metric = (np.sqrt(self.second) + 1e-8) * first / np.sqrt(1 - 0.95**self.steps)
        return self.first, metric

    def sgd(self, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.first = 0.7 * self.first + gradient
        return self.first, np.ones(WIDTH + 1)

    def rmsprop(self, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.second = 0.9 * self.second + 0.1 * gradient**2
        return gradient, np.sqrt(self.second + 1e-8)

    def adagrad(self, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.second = self.second + gradient**2
        return gradient, np.sqrt(self.second + 1e-8)


def written(optimizer: str, model: int) -> tuple[np.ndarray, np.ndarray]:
    """The last weights and their average, the later ones counting more."""
    direct: Callable[..., tuple[np.ndarray, np.ndarray]] = getattr(Written(), optimizer)
    weights, total, mass = START.copy(), np.zeros(WIDTH + 1), 0.0
    for step, (rows, labels) in enumerate(zip(ROWS_OF, LABELS_OF, strict=True)):
        rate = min(max(RATES[model] * 0.5 ** (step // 4), 0.02), RATES[model])
        decay = WDS[model] * weights * np.r_[np.ones(WIDTH), BIAS_WD_MULT]
        chances = 1 / (1 + np.exp(-rows @ weights))
        direction, metric = direct(rows.T @ (chances - labels) / ROWS + decay)
        weights = weights - rate * direction / metric * np.r_[np.ones(WIDTH), BIAS_LR_MULT]
        shrink = rate * L1S[model] / metric * np.r_[np.ones(WIDTH), 0]
        weights = np.sign(weights) * np.maximum(np.abs(weights) - shrink, 0)
        total += (step + 1) ** 4 * weights
        mass += (step + 1) ** 4
    return weights, total / mass


def models(optimizer: str, sparse: bool = False) -> ParallelModels:
    params = LinearLearnerHyperparameters.parse(
        {
            "predictor_type": "binary_classifier",
            "loss": "logistic",
            "optimizer": optimizer,
            "beta_1": 0.8,
            "beta_2": 0.95,
            "momentum": 0.7,
        }
    )
    rules = Rules(1, True, optimizer_of(params), loss_of(params), BIAS_LR_MULT, BIAS_WD_MULT)
    candidates = Candidates(np.array(RATES), np.array(WDS), np.array(L1S), np.ones(2))
    return ParallelModels(candidates, START[None].astype(np.float32), rules, sparse)


def batches(make: Callable[[np.ndarray], Any] = lambda rows: rows.astype(np.float32)) -> list[Any]:
    return [
        MiniBatch(make(rows), labels.astype(np.float32), None)
        for rows, labels in zip(ROWS_OF, LABELS_OF, strict=True)
    ]


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "adagrad"])
def test_steps_are_those_of_the_optimizer_written_out(optimizer: str) -> None:
    together = models(optimizer)
    together.train(batches(), SCHEDULE)
    for model in range(2):
        weights, average = written(optimizer, model)
        # Single precision over a dozen steps, divided by small roots
        np.testing.assert_allclose(together.weights[model], weights, rtol=2e-3, atol=2e-4)
        if L1S[model]:
            average[weights == 0] = 0
        np.testing.assert_allclose(together.averaged()[model], average, rtol=2e-3, atol=2e-4)


def test_sparse_steps_over_all_columns_are_the_dense_ones() -> None:
    dense, sparse = models("adam"), models("adam", sparse=True)
    dense.train(batches(), SCHEDULE)
    sparse.train(batches(lambda rows: csr_array(rows.astype(np.float32))), SCHEDULE)
    np.testing.assert_allclose(sparse.weights, dense.weights, rtol=1e-4, atol=1e-5)


def test_columns_that_do_not_occur_stand_still() -> None:
    sparse = models("adam", sparse=True)
    before = sparse.weights.copy()
    touched = np.array([1, 5])
    rows = csr_array(np.ones((4, 2), np.float32))
    sparse.train([MiniBatch(rows, np.ones(4, np.float32), None, touched)], SCHEDULE)
    moved = (sparse.weights != before).all(axis=0)
    assert np.flatnonzero(moved).tolist() == touched.tolist()


def test_the_rate_falls_by_the_factor_down_to_the_minimum() -> None:
    rates = [float(SCHEDULE(np.array([0.1]), step)[0]) for step in (0, 3, 4, 8, 12, 100)]
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.025, 0.02, 0.02])


def test_a_row_of_weight_two_counts_as_two_rows() -> None:
    rows, labels = ROWS_OF[0].astype(np.float32), LABELS_OF[0].astype(np.float32)
    weights = np.ones(ROWS, np.float32)
    weights[0] = 2
    twice = MiniBatch(np.r_[rows[:1], rows], np.r_[labels[:1], labels], None)
    once, doubled = models("sgd"), models("sgd")
    once.train([MiniBatch(rows, labels, weights)], SCHEDULE)
    doubled.train([twice], SCHEDULE)
    np.testing.assert_allclose(once.weights, doubled.weights, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(once.loss_sum, doubled.loss_sum, rtol=1e-5)
