"""Curves and matrices of the report equal scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB

from clary.kit.figures import Bars, Figure, Lines, Points
from clary.kit.quality import class_rankings, confusion, ranking, regression


def _lines(figures: list[Figure]) -> dict[str, Lines]:
    return {figure.title: figure for figure in figures if isinstance(figure, Lines)}


def test_roc_and_precision_recall_are_those_of_scikit_learn() -> None:
    rows, labels = load_breast_cancer(return_X_y=True)
    score = GaussianNB().fit(rows[:100], labels[:100]).predict_proba(rows)[:, 1]
    found = _lines(ranking(labels == 1, score))
    area = metrics.roc_auc_score(labels, score)
    average = metrics.average_precision_score(labels, score)
    assert f"{area:.4f}" in found["ROC curve"].caption
    assert f"{average:.4f}" in found["Precision and recall"].caption
    x, y = found["ROC curve"].series["model"]
    # Thinned out to some hundred points, so not exactly the area
    assert np.trapezoid(y, x) == pytest.approx(area, abs=0.002)
    assert found["Precision and recall"].level == pytest.approx(labels.mean())


def test_rows_of_one_kind_have_no_curves() -> None:
    assert ranking(np.ones(5, dtype=bool), np.arange(5.0)) == []


def test_equal_scores_are_one_corner() -> None:
    roc = _lines(ranking(np.array([True, False, True, False]), np.zeros(4)))["ROC curve"]
    assert roc.series["model"] == ([0.0, 1.0], [0.0, 1.0])


def test_every_class_has_its_curve_against_the_others() -> None:
    rows, labels = load_digits(return_X_y=True)
    scores = LogisticRegression(max_iter=2000).fit(rows[:300], labels[:300]).predict_proba(rows)
    found = _lines(class_rankings(labels, scores))
    area = metrics.roc_auc_score(labels, scores, multi_class="ovr")
    assert list(found["ROC curve"].series) == [str(digit) for digit in range(10)]
    assert f"{area:.4f}" in found["ROC curve"].caption


def test_the_confusion_matrix_is_that_of_scikit_learn() -> None:
    rows, labels = load_digits(return_X_y=True)
    predicted = GaussianNB().fit(rows[:300], labels[:300]).predict(rows)
    found = confusion(labels, predicted, 10)
    assert np.array_equal(found.values, metrics.confusion_matrix(labels, predicted))


def test_of_very_many_classes_the_most_frequent_are_shown() -> None:
    labels = np.repeat(np.arange(100), np.arange(1, 101))
    found = confusion(labels, labels, 100)
    assert list(found.rows) == [str(one) for one in range(60, 100)]
    assert "60 classes" in found.caption


def test_regressions_show_predictions_residuals_and_their_spread() -> None:
    rows, labels = load_diabetes(return_X_y=True)
    predicted = LinearRegression().fit(rows, labels).predict(rows)
    clouds, residuals, spread = regression(labels, predicted)
    assert isinstance(clouds, Points)
    assert isinstance(residuals, Points)
    assert isinstance(spread, Bars)
    assert list(residuals.y) == pytest.approx(list(labels - predicted))
    assert sum(spread.values) == len(labels)
    assert f"{metrics.root_mean_squared_error(labels, predicted):.4g}" in spread.caption


def test_a_figure_of_a_million_rows_stays_small() -> None:
    label = np.random.default_rng(0).normal(size=1_000_000)
    clouds = regression(label, np.zeros(1_000_000))[0]
    assert isinstance(clouds, Points)
    assert len(clouds.x) == 1000
