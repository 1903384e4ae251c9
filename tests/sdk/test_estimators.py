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
import xgboost
from scipy.sparse import csr_array, csr_matrix
from sklearn import decomposition
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import clary
from clary import PCA, CallerError, KMeans, LinearLearner, XGBoost
from clary.runtime.models import load_model

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
    "arrow batch": lambda rows: pa.record_batch({name: rows[:, i] for i, name in enumerate(NAMES)}),
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
    assert parameters["extra_center_factor"].annotation == "int | Literal['auto']"
    assert "    k: Number of clusters in the model.\n" in (KMeans.__doc__ or "")
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


def test_a_column_of_words_survives_an_archive_as_do_the_features_names(tmp_path: Path) -> None:
    frame, kinds = load_iris(return_X_y=True, as_frame=True)
    words = kinds.map({0: "setosa", 1: "versicolor", 2: "virginica"})
    trees = XGBoost(objective="multi:softprob", num_round=5).fit(frame, words)
    trees.save(tmp_path / "model.tar.gz")
    again = clary.load(tmp_path / "model.tar.gz")
    assert again.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert again.feature_names_in_.tolist() == list(frame.columns)
    assert (again.predict(frame) == trees.predict(frame)).all()


def test_a_folder_keeps_nothing_of_an_earlier_model(tmp_path: Path) -> None:
    rows, benign = load_breast_cancer(return_X_y=True)
    for labels in (np.where(benign == 1, "benign", "malignant"), benign):
        XGBoost(objective="binary:logistic", num_round=2).fit(rows, labels).save(tmp_path)
    assert clary.load(tmp_path).classes_.tolist() == [0, 1]
    assert not list(tmp_path.glob(".*.partial"))


def test_a_loaded_estimator_can_be_fitted_to_other_rows(tmp_path: Path) -> None:
    PCA(num_components=2).fit(IRIS).save(tmp_path / "model")
    again = clone(clary.load(tmp_path / "model"))
    assert again.fit(load_wine().data).components_.shape == (2, 13)


def test_an_endpoint_takes_what_python_saved(tmp_path: Path) -> None:
    KMeans(k=3).fit(IRIS).save(tmp_path / "model.tar.gz")
    assert load_model(tmp_path / "model.tar.gz").summary()["k"] == 3


def test_clusters_are_described_as_scikit_learn_does() -> None:
    clusters = KMeans(k=3).fit(IRIS)
    distances = clusters.transform(IRIS)
    assert (distances.argmin(axis=1) == clusters.labels_).all()
    assert clusters.inertia_ == pytest.approx((distances.min(axis=1) ** 2).sum(), rel=1e-5)
    assert clusters.score(IRIS) == pytest.approx(-clusters.inertia_)


def test_weights_of_rows_move_centers() -> None:
    rows = np.array([[0.0], [1.0]])
    center = KMeans(k=1).fit(rows, sample_weight=[3, 1]).cluster_centers_
    assert center[0, 0] == pytest.approx(0.25)


def test_transformed_columns_have_names_and_may_be_frames() -> None:
    pipeline = make_pipeline(StandardScaler(), PCA(num_components=2)).set_output(transform="pandas")
    frame = pipeline.fit_transform(pd.DataFrame(IRIS, columns=NAMES))
    assert list(frame.columns) == ["pca0", "pca1"]
    assert KMeans(k=3).fit(IRIS).get_feature_names_out().tolist() == [
        "kmeans0",
        "kmeans1",
        "kmeans2",
    ]


def test_components_explain_what_scikit_learns_explain() -> None:
    ours = PCA(num_components=3).fit(IRIS)
    theirs = decomposition.PCA(n_components=3).fit(IRIS)
    # Single against double precision.
    np.testing.assert_allclose(
        ours.explained_variance_ratio_[::-1], theirs.explained_variance_ratio_, rtol=1e-4
    )
    np.testing.assert_allclose(
        np.abs(ours.components_[::-1]), np.abs(theirs.components_), atol=1e-3
    )
    np.testing.assert_allclose(ours.mean_, theirs.mean_, rtol=1e-5)


def test_coefficients_have_scikit_learns_shapes() -> None:
    rows, numbers = load_diabetes(return_X_y=True)
    regressor = LinearLearner(predictor_type="regressor", num_models=1).fit(rows, numbers)
    assert (regressor.coef_.shape, np.shape(regressor.intercept_)) == ((10,), ())
    np.testing.assert_allclose(
        rows @ regressor.coef_ + regressor.intercept_, regressor.predict(rows), rtol=1e-4
    )
    binary = LinearLearner(predictor_type="binary_classifier", num_models=1)
    binary.fit(rows, numbers > 140)
    assert (binary.coef_.shape, binary.intercept_.shape) == ((1, 10), (1,))


def test_importances_add_up_to_one_and_name_the_feature_that_counts() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 4))
    trees = XGBoost(num_round=5).fit(rows, rows[:, 2])
    assert trees.feature_importances_.sum() == pytest.approx(1)
    assert trees.feature_importances_.argmax() == 2


def test_scores_that_are_no_probabilities_are_not_given_as_such() -> None:
    rows, benign = load_breast_cancer(return_X_y=True)
    hinge = LinearLearner(predictor_type="binary_classifier", loss="hinge_loss").fit(rows, benign)
    assert not hasattr(hinge, "predict_proba")
    assert ((hinge.decision_function(rows) >= 0) == hinge.predict(rows)).all()
    assert not hasattr(XGBoost(objective="multi:softmax", num_class=3), "predict_proba")


def test_several_labels_at_once_are_learnt() -> None:
    rows, kinds = load_iris(return_X_y=True)
    labels = np.column_stack([kinds > 0, kinds == 2]).astype(int)
    learner = LinearLearner(predictor_type="multilabel_classifier").fit(rows, labels)
    assert learner.predict(rows).shape == learner.predict_proba(rows).shape == (150, 2)
    # Both labels are nearly linear in the features: above 0.9 of rows have both right.
    assert learner.score(rows, labels) > 0.9


def test_a_class_that_training_did_not_see_is_named() -> None:
    rows, kinds = load_iris(return_X_y=True)
    learner = LinearLearner(predictor_type="binary_classifier", num_models=1)
    with pytest.raises(ValueError, match="not in training: 2"):
        learner.fit(rows[:100], kinds[:100], validation=(rows, kinds))


def test_rows_are_ranked_within_their_queries_as_the_library_ranks_them() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(300, 3)).astype(np.float32)
    relevance, queries = (rows[:, 0] > 0).astype(int), np.repeat(np.arange(30), 10)
    ranker = XGBoost(objective="rank:ndcg", num_round=10)
    scores = ranker.fit(
        rows, relevance, qid=queries, validation=(rows, relevance, queries)
    ).predict(rows)
    theirs = xgboost.XGBRanker(objective="rank:ndcg", n_estimators=10)
    theirs.fit(rows, relevance, qid=queries)
    np.testing.assert_array_equal(scores, theirs.predict(rows))
    assert ranker.metrics_["validation:ndcg"][-1][1] > 0.99
    with pytest.raises(ValueError, match="qid"):
        ranker.fit(rows, relevance, qid=queries[::-1])


@pytest.mark.parametrize(
    "estimator",
    [
        XGBoost(objective="multi:softprob", num_class=4, num_round=3),
        LinearLearner(predictor_type="multiclass_classifier", num_classes=4, num_models=1),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_class_that_was_announced_may_lack_in_the_rows(estimator: Any) -> None:
    rows, kinds = load_iris(return_X_y=True)
    fitted = clone(estimator).fit(rows, kinds)
    assert fitted.predict_proba(rows).shape == (150, 3)
    count = "num_class" if isinstance(estimator, XGBoost) else "num_classes"
    few = clone(estimator).set_params(**{count: 2})
    with pytest.raises(CallerError, match=r"from 0 to 1|num_classes: must be at least 3"):
        few.fit(rows, kinds)


def test_balance_of_two_classes_is_kept_where_they_are_learnt_as_binary() -> None:
    rows, kinds = load_iris(return_X_y=True)
    learner = LinearLearner(
        predictor_type="multiclass_classifier", balance_multiclass_weights=True, num_models=1
    ).fit(rows[:70], kinds[:70])
    # 50 rows of one class stand against 20 of the other
    assert learner.params_["positive_example_weight_mult"] == pytest.approx(2.5)


def test_importances_follow_the_names_of_a_model_made_elsewhere(tmp_path: Path) -> None:
    frame, kinds = load_iris(return_X_y=True, as_frame=True)
    theirs = xgboost.XGBClassifier(n_estimators=5).fit(frame, kinds)
    (tmp_path / "xgboost-model").write_bytes(theirs.get_booster().save_raw("ubj"))
    ours = clary.load(tmp_path)
    np.testing.assert_allclose(ours.feature_importances_, theirs.feature_importances_, rtol=1e-5)
    assert (ours.predict(frame.to_numpy()) == theirs.predict(frame)).all()


def test_weights_that_leave_no_row_are_refused() -> None:
    with pytest.raises(ValueError, match=r"non-zero|not be zero"):
        KMeans(k=3).fit(IRIS, sample_weight=np.zeros(len(IRIS)))


def test_a_linear_booster_has_no_importances() -> None:
    rows, numbers = load_diabetes(return_X_y=True)
    linear = XGBoost(booster="gblinear", num_round=2).fit(rows, numbers)
    assert not hasattr(linear, "feature_importances_")


def test_damaged_notes_beside_a_model_are_told(tmp_path: Path) -> None:
    KMeans(k=3).fit(IRIS).save(tmp_path)
    (tmp_path / ".estimator.json").write_text("[")
    with pytest.raises(CallerError, match=r"its file \.estimator\.json must hold a JSON object"):
        clary.load(tmp_path)


def test_an_output_folder_of_a_training_is_loaded_as_its_archive(tmp_path: Path) -> None:
    rows, kinds = load_iris(return_X_y=True)
    words = np.array(["setosa", "versicolor", "virginica"])[kinds]
    trees = XGBoost(objective="multi:softprob", num_round=2).fit(rows, words)
    trees.save(tmp_path / "model.tar.gz")
    assert clary.load(tmp_path).classes_.tolist() == trees.classes_.tolist()


def test_times_of_survival_may_be_open() -> None:
    rows, numbers = load_diabetes(return_X_y=True)
    rows, low = rows.astype(np.float32), numbers.astype(np.float32)
    high = np.where(np.arange(len(low)) % 3, low, np.inf).astype(np.float32)
    ours = XGBoost(objective="survival:aft", num_round=5).fit(rows, np.column_stack([low, high]))
    matrix = xgboost.DMatrix(rows, label_lower_bound=low, label_upper_bound=high)
    theirs = xgboost.train({"objective": "survival:aft"}, matrix, 5)
    np.testing.assert_allclose(ours.predict(rows), theirs.predict(matrix), rtol=1e-5)
