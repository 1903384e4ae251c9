"""Probabilities: sigmoids on held-out decisions, pairs coupled, the same for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss
from sklearn.svm import SVC, LinearSVC

from clary.algorithms.svm.calibration import coupled, platt
from clary.algorithms.svm.fit import fit
from clary.algorithms.svm.heads import OneVsOne, pairs_of
from clary.codecs.batch import Batch
from tests.algorithms.svm.training import BINARY, MULTI, batch_of, rows_of, running, trained

each_machine = pytest.mark.parametrize(
    "settings",
    [
        {"kernel": "rbf"},
        {"kernel": "linear", "C": 0.1},
        {"kernel_approximation": "nystroem", "num_components": 100},
    ],
    ids=str,
)


@each_machine
@pytest.mark.parametrize("predictor_type", [BINARY, MULTI])
def test_probabilities_are_as_good_as_those_of_scikit_learns_calibration(
    predictor_type: str, settings: dict[str, Any]
) -> None:
    features, labels = rows_of(predictor_type, 550)
    batch, held_out = Batch(features[:400], labels[:400]), features[400:]
    model = trained(batch, predictor_type=predictor_type, probability=True, **settings)
    outputs = model.predict(Batch(held_out))
    score = np.asarray(outputs["score"], dtype=np.float64)
    if predictor_type == MULTI:
        assert np.abs(score.sum(axis=1) - 1).max() < 1e-5
        score /= score.sum(axis=1, keepdims=True)
    solver = LinearSVC(C=0.1) if settings.get("kernel") == "linear" else SVC()
    theirs = CalibratedClassifierCV(solver, ensemble=False).fit(features[:400], labels[:400])
    bound = log_loss(labels[400:], theirs.predict_proba(held_out))
    # Which rows make a fold is drawn, and an approximation of 100 components loses a little
    assert log_loss(labels[400:], score) < bound * 1.15 + 0.05
    assert score.min() >= 0
    assert score.max() <= 1


def test_labels_are_those_of_the_decisions_whether_there_are_probabilities_or_not() -> None:
    plain = trained(batch_of(MULTI), predictor_type=MULTI)
    chances = trained(batch_of(MULTI), predictor_type=MULTI, probability=True)
    rows = batch_of(MULTI)
    assert (plain.decisions(rows) == chances.decisions(rows)).all()
    labels = [one.predict(rows)["predicted_label"] for one in (plain, chances)]
    assert (labels[0] == labels[1]).all()


def test_the_seed_draws_the_folds() -> None:
    told = {"predictor_type": BINARY, "probability": True}
    first, again, other = (fit(running(batch_of(BINARY), told, seed=seed)) for seed in (0, 0, 1))
    slopes = [np.asarray(one.calibration.slopes) for one in (first, again, other)]  # type: ignore[union-attr]
    assert (slopes[0] == slopes[1]).all()
    assert (slopes[0] != slopes[2]).all()


def test_a_class_of_one_row_does_not_hinder_calibration() -> None:
    features, labels = rows_of(MULTI)
    changed = np.where(np.arange(len(labels)) == 7, 10, labels).astype(np.float32)
    for kernel in ("rbf", "linear"):
        told = {"predictor_type": MULTI, "kernel": kernel, "probability": True}
        score = np.asarray(
            trained(Batch(features, changed), **told).predict(Batch(features))["score"]
        )
        assert score.shape == (400, 11)
        assert np.isfinite(score).all()
        # What is never seen where it is held out is unlikely for all others
        assert np.median(score[:, 10]) < 0.05


def test_the_sigmoid_has_the_greatest_likelihood() -> None:
    draw = np.random.default_rng(0)
    decisions = draw.normal(size=300)
    positive = draw.uniform(size=300) < expit(2 * decisions - 1)
    found = platt(decisions, positive)
    above, below = positive.sum(), (~positive).sum()
    wanted = np.where(positive, (above + 1) / (above + 2), 1 / (below + 2))

    def loss(parts: Any) -> Any:
        values = parts[0] * decisions + parts[1]
        return (wanted * values + np.logaddexp(0, -values)).sum()

    best = minimize(loss, [0.0, 0.0], tol=1e-10)
    assert np.allclose(found, best.x, atol=1e-4)


def test_pairs_that_agree_give_back_their_probabilities() -> None:
    draw = np.random.default_rng(0)
    chances = draw.dirichlet(np.ones(5), size=20)
    first, second = pairs_of(5)
    pairs = chances[:, first] / (chances[:, first] + chances[:, second])
    head = OneVsOne(np.zeros((4, 0)), np.zeros(5, np.intp), np.zeros(10))
    assert np.allclose(coupled(pairs, head), chances)
