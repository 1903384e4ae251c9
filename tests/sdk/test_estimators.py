"""The Python estimators at work: kinds of input, pipelines, searches, saving."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import clary
from clary import PCA, CallerError, KMeans, LinearLearner, XGBoost

IRIS = load_iris().data
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
FORMS = {
    "lists": lambda rows: rows.tolist(),
    "float64": lambda rows: rows,
    "fortran order": lambda rows: np.asfortranarray(rows),
    "csr_matrix": csr_matrix,
    "csr_array": csr_array,
    "pandas": lambda rows: pd.DataFrame(rows, columns=NAMES),
    "polars": lambda rows: pl.DataFrame(rows, schema=NAMES),
    "arrow": lambda rows: pa.table({name: rows[:, i] for i, name in enumerate(NAMES)}),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_rows_gives_the_same_clusters(form: str) -> None:
    expected = KMeans(k=3).fit(IRIS.astype(np.float32))
    found = KMeans(k=3).fit(FORMS[form](IRIS))
    np.testing.assert_allclose(found.cluster_centers_, expected.cluster_centers_, rtol=1e-5)
    assert (found.predict(FORMS[form](IRIS)) == expected.labels_).all()


@pytest.mark.parametrize("form", ["pandas", "polars", "arrow"])
def test_labels_may_be_columns_of_tables(form: str) -> None:
    rows, kinds = load_wine(return_X_y=True)
    words = np.array(["barolo", "grignolino", "barbera"])[kinds]
    column = {"pandas": pd.Series, "polars": pl.Series, "arrow": pa.array}[form](words)
    learner = LinearLearner(predictor_type="multiclass_classifier").fit(rows, column)
    assert set(learner.predict(rows)) == set(words)
    # A linear model separates these wines nearly without error.
    assert learner.score(rows, words) > 0.97


def test_classes_may_be_any_values_and_survive_saving(tmp_path: Path) -> None:
    rows, benign = load_breast_cancer(return_X_y=True)
    words = np.where(benign == 1, "benign", "malignant")
    trees = XGBoost(objective="binary:logistic", num_round=20).fit(rows, words)
    trees.save(tmp_path / "trees")
    again = clary.load(tmp_path / "trees")
    assert (again.predict(rows) == trees.predict(rows)).all()
    assert trees.score(rows, words) > 0.98


@pytest.mark.parametrize("target", ["model", "model.tar.gz"])
@pytest.mark.parametrize(
    "estimator",
    [
        KMeans(k=3),
        PCA(num_components=2),
        LinearLearner(predictor_type="regressor", num_models=2),
        XGBoost(num_round=5),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_saved_model_loads_and_answers_the_same(
    estimator: Any, target: str, tmp_path: Path
) -> None:
    rows, numbers = load_diabetes(return_X_y=True)
    fitted = clone(estimator).fit(rows, numbers)
    fitted.save(tmp_path / target)
    again = clary.load(tmp_path / target)
    assert type(again) is type(fitted)
    ask = "transform" if isinstance(fitted, PCA) else "predict"
    np.testing.assert_array_equal(getattr(again, ask)(rows), getattr(fitted, ask)(rows))


def test_a_pipeline_is_searched_over_sagemakers_hyperparameters() -> None:
    digits, numbers = load_digits(return_X_y=True)
    few = numbers < 2
    search = GridSearchCV(
        make_pipeline(
            StandardScaler(),
            PCA(num_components=4),
            LinearLearner(predictor_type="binary_classifier", num_models=1),
        ),
        {"pca__num_components": [2, 8]},
        cv=3,
    ).fit(digits[few], numbers[few])
    # Zeros and ones are told apart by a few components.
    assert search.best_score_ > 0.98


def test_cross_validation_scores_regressors_by_r2() -> None:
    rows, numbers = load_diabetes(return_X_y=True)
    scores = cross_val_score(LinearLearner(predictor_type="regressor"), rows, numbers, cv=4)
    # Least squares reaches 0.48 here.
    assert 0.4 < scores.mean() < 0.6


def test_probabilities_and_labels_agree_for_several_classes() -> None:
    rows, kinds = load_iris(return_X_y=True)
    trees = XGBoost(objective="multi:softprob", num_class=3, num_round=10).fit(rows, kinds)
    chances = trees.predict_proba(rows)
    assert chances.shape == (150, 3)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)
    assert (chances.argmax(axis=1) == trees.predict(rows)).all()


def test_regressors_have_no_probabilities() -> None:
    assert not hasattr(LinearLearner(predictor_type="regressor"), "predict_proba")
    assert hasattr(LinearLearner(predictor_type="binary_classifier"), "predict_proba")


def test_held_out_rows_are_reported_by_epoch() -> None:
    rows, benign = load_breast_cancer(return_X_y=True)
    learner = LinearLearner(predictor_type="binary_classifier", epochs=4).fit(
        rows[:400], benign[:400], validation=(rows[400:], benign[400:])
    )
    epochs = [epoch for epoch, _ in learner.metrics_["validation:objective_loss"]]
    assert epochs[:2] == [0, 1]


def test_weights_of_rows_count() -> None:
    rows = np.array([[0.0], [0.0], [1.0], [1.0]])
    labels = np.array([0, 1, 0, 1])
    weights = np.array([9, 1, 1, 9])
    trees = XGBoost(objective="binary:logistic", num_round=20, min_child_weight=0)
    assert trees.fit(rows, labels, sample_weight=weights).predict([[0.0], [1.0]]).tolist() == [0, 1]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        KMeans(k=4, seed=7).fit(IRIS).save(tmp_path / f"{name}.tar.gz")
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


def test_hyperparameters_are_keyword_arguments_with_sagemakers_names() -> None:
    parameters = inspect.signature(KMeans).parameters
    assert parameters["extra_center_factor"].default == "auto"
    assert KMeans(k=3).get_params()["local_lloyd_tol"] == 0.0001


def test_an_unknown_keyword_is_refused_at_once() -> None:
    with pytest.raises(CallerError, match="n_clusters"):
        KMeans(n_clusters=3)


def test_values_are_checked_in_fit_and_all_faults_told() -> None:
    with pytest.raises(CallerError) as refused:
        KMeans(k=0, epochs="many").fit(IRIS)
    assert len(refused.value.faults) == 2


def test_a_required_hyperparameter_left_out_is_named() -> None:
    with pytest.raises(CallerError, match="k: is required"):
        KMeans().fit(IRIS)


def test_the_package_shows_its_public_names() -> None:
    assert {"KMeans", "PCA", "LinearLearner", "XGBoost", "load", "CallerError"} <= set(dir(clary))
    with pytest.raises(AttributeError, match="KMeens"):
        clary.KMeens  # noqa: B018
