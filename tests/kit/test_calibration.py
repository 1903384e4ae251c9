"""Figures of scores: calibration as scikit-learn's, histograms that hold every row."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

from clary.codecs.batch import Batch
from clary.kit.bars import effects, largest
from clary.kit.calibration import calibration, spread
from clary.kit.figures import Lines

ROWS, LABEL = load_breast_cancer(return_X_y=True)
CHANCES = GaussianNB().fit(ROWS[:100], LABEL[:100]).predict_proba(ROWS)[:, 1]
MARGINS = LogisticRegression(max_iter=5000).fit(ROWS, LABEL).decision_function(ROWS)


def test_the_calibration_curve_is_scikit_learns() -> None:
    (curve,) = calibration(LABEL, CHANCES)
    assert isinstance(curve, Lines)
    shares, means = calibration_curve(LABEL, CHANCES, n_bins=10)
    found = curve.series["model"]
    assert found[0] == pytest.approx(means)
    assert found[1] == pytest.approx(shares)


def test_scores_that_are_no_probabilities_have_no_calibration_curve() -> None:
    assert calibration(LABEL, MARGINS) == []


def test_a_histogram_of_scores_holds_every_row_and_of_probabilities_goes_from_0_to_1() -> None:
    for score, ends in ((CHANCES, (0, 1)), (MARGINS, (MARGINS.min(), MARGINS.max()))):
        told = spread(score, "caption")
        assert sum(told.values) == len(LABEL)
        assert (told.edges[0], told.edges[-1]) == pytest.approx(ends)
    low, high = told.edges[3:5]
    assert told.values[3] == ((low <= MARGINS) & (high > MARGINS)).sum()


def test_scores_all_alike_have_a_histogram() -> None:
    assert sum(spread(np.full(7, 3.0), "").values) == 7


def test_the_largest_numbers_come_first_whatever_their_sign() -> None:
    told = largest("title", np.array([1.0, -3.0, 2.0]), "x", "")
    assert told.labels == ["feature 1", "feature 2", "feature 0"]
    assert told.values == [-3.0, 2.0, 1.0]


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_effects_are_the_weights_on_scaled_features(sparse: bool) -> None:
    weights = np.linspace(-1, 1, 30)
    scaler = StandardScaler().fit(ROWS)
    features = ROWS.astype(np.float32)
    told = effects(weights, Batch(csr_array(features) if sparse else features))
    moves = weights * scaler.scale_
    order = np.argsort(-np.abs(moves))[:20]
    assert told.labels == [f"feature {one}" for one in order]
    assert told.values == pytest.approx(moves[order], rel=1e-4)
