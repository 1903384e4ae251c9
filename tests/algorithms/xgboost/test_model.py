"""Trained models: predictions, scores, what they show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from scipy.sparse import csr_array
from sklearn import metrics as theirs

from clary.algorithms.xgboost.model import XGBoostModel
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError
from tests.algorithms.xgboost.training import plain, rows, trained

KINDS = [
    ("binary", {"objective": "binary:logistic"}),
    ("binary", {"objective": "binary:logitraw"}),
    ("binary", {"objective": "binary:hinge"}),
    ("binary", {"objective": "reg:logistic"}),
    ("digits", {"objective": "multi:softprob", "num_class": 10, "max_depth": 2}),
    ("multiclass", {"objective": "multi:softmax", "num_class": 3}),
    ("regression", {"objective": "reg:squarederror", "eval_metric": "mape"}),
    ("regression", {"objective": "reg:gamma"}),
    ("regression", {"objective": "reg:tweedie", "tweedie_variance_power": 1.2}),
    ("regression", {"objective": "reg:squaredlogerror"}),
    ("regression", {"objective": "reg:pseudohubererror"}),
    ("regression", {"objective": "count:poisson", "eval_metric": "rmse,poisson-nloglik"}),
    ("regression", {"objective": "survival:cox"}),
    ("regression", {"objective": "survival:aft", "aft_loss_distribution_scale": 0.8}),
    ("wine", {"objective": "rank:ndcg", "eval_metric": "ndcg"}),
    ("binary", {"objective": "rank:map", "eval_metric": "map"}),
    ("regression", {"booster": "gblinear", "updater": "coord_descent"}),
    ("binary", {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.3}),
]


@pytest.mark.parametrize(("kind", "params"), KINDS, ids=str)
def test_predictions_are_those_of_the_library(kind: str, params: dict[str, Any]) -> None:
    train, validation = rows(kind)
    model, _ = trained({"num_round": 3, **params}, train)
    expected = model.boosters[0].predict(xgboost.DMatrix(validation.features))
    np.testing.assert_array_equal(np.asarray(model.predict(validation)["score"]), expected)


@pytest.mark.parametrize(("kind", "params"), KINDS, ids=str)
def test_scores_are_those_of_the_last_round(kind: str, params: dict[str, Any]) -> None:
    train, validation = rows(kind)
    model, heard = trained({"num_round": 3, **params}, train, validation)
    scores = model.evaluate(MemoryChannel("test", validation))
    last = {name: value for name, value, epoch in heard.metrics if epoch == 2}
    shared = [name for name in scores if name in last]
    assert shared
    for name in shared:
        # The engine adds up in single precision, in another order
        assert scores[name] == pytest.approx(last[name], rel=1e-5), name


def test_scores_of_a_classifier_are_those_of_scikit_learn() -> None:
    train, validation = rows("binary")
    weights = np.linspace(0.5, 2, validation.rows, dtype=np.float32)
    model, _ = trained({"num_round": 3, "objective": "binary:logistic"}, train)
    label, chance = validation.labels(), np.asarray(model.predict(validation)["score"])
    scores = model.evaluate(MemoryChannel("test", replace(validation, weights=weights)))
    wanted = {
        "validation:auc": theirs.roc_auc_score(label, chance, sample_weight=weights),
        "validation:logloss": theirs.log_loss(label, chance, sample_weight=weights),
        "validation:f1": theirs.f1_score(
            label, chance > 0.5, average="macro", sample_weight=weights
        ),
    }
    assert {name: scores[name] for name in wanted} == pytest.approx(wanted, rel=1e-5)


def test_rows_of_one_class_have_no_area_under_a_curve() -> None:
    train, validation = rows("binary")
    model, _ = trained({"num_round": 2, "objective": "binary:logistic"}, train)
    one = replace(validation, label=np.ones(validation.rows, dtype=np.float32))
    scores = model.evaluate(MemoryChannel("test", one))
    assert "validation:auc" not in scores
    assert scores["validation:accuracy"] > 0.5


def test_wrong_labels_and_no_rows_are_refused_when_scoring() -> None:
    train, validation = rows("binary")
    model, _ = trained({"num_round": 1, "objective": "binary:logistic"}, train)
    wrong = replace(validation, label=validation.labels() + 3)
    with pytest.raises(CallerError, match=r"channel test, row 1, label: must be a whole number"):
        model.evaluate(MemoryChannel("test", wrong))
    with pytest.raises(CallerError, match="channel test: holds no rows"):
        model.evaluate(MemoryChannel("test", validation.slice(0, 0)))


def test_sparse_rows_may_be_narrower_and_dense_ones_not() -> None:
    train, _ = rows("digits")
    model, _ = trained({"num_round": 2, "objective": "multi:softprob", "max_depth": 2}, train)
    narrow = np.ascontiguousarray(train.features[:5, :40])
    padded = np.full((5, 64), np.nan, np.float32)
    padded[:, :40] = np.where(narrow == 0, np.nan, narrow)
    sparse = model.predict(Batch(csr_array(narrow)))["score"]
    np.testing.assert_array_equal(np.asarray(sparse), model.predict(Batch(padded))["score"])
    with pytest.raises(CallerError, match="features: the model takes 64 a row, got 40"):
        model.predict(Batch(narrow))
    with pytest.raises(CallerError, match="features: the model takes 64 a row, got 65"):
        model.predict(Batch(csr_array(np.ones((2, 65), np.float32))))


@pytest.mark.parametrize(
    ("kind", "objective"),
    [
        ("binary", "binary:logistic"),
        ("digits", "multi:softprob"),
        ("regression", "count:poisson"),
        ("regression", "reg:squarederror"),
    ],
)
def test_several_models_are_averaged(kind: str, objective: str) -> None:
    train, validation = rows(kind)
    params = {"num_round": 3, "objective": objective, "max_depth": 2}
    parts = [trained(params, train.slice(start, start + 90))[0] for start in (0, 60, 120)]
    model = XGBoostModel([part.boosters[0] for part in parts], parts[0].params)
    scores = np.stack([np.asarray(part.predict(validation)["score"]) for part in parts])
    found = np.asarray(model.predict(validation)["score"])
    np.testing.assert_allclose(found, scores.mean(axis=0), rtol=1e-6)
    told = model.evaluate(MemoryChannel("test", validation))
    if kind == "regression":
        error = theirs.root_mean_squared_error(validation.labels(), found)
        assert told["validation:rmse"] == pytest.approx(error, rel=1e-5)
    else:
        loss = "mlogloss" if kind == "digits" else "logloss"
        wanted = theirs.log_loss(validation.labels(), found.astype(np.float64))
        # Probabilities pass through the link function and back in single precision
        assert told[f"validation:{loss}"] == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "objective"), [("multiclass", "multi:softmax"), ("binary", "binary:hinge")]
)
def test_classes_of_several_models_are_voted(kind: str, objective: str) -> None:
    train, validation = rows(kind)
    params = {"num_round": 2, "objective": objective, "max_depth": 1}
    if kind == "multiclass":
        params["num_class"] = 3
    parts = [trained({**params, "seed": seed, "subsample": 0.2}, train)[0] for seed in range(3)]
    model = XGBoostModel([part.boosters[0] for part in parts], parts[0].params)
    votes = np.stack([np.asarray(part.predict(validation)["score"]) for part in parts])
    found = np.asarray(model.predict(validation)["score"])
    assert (np.sum(votes == found, axis=0) >= np.where(np.ptp(votes, axis=0) > 0, 1, 3)).all()
    most = [np.bincount(column.astype(int)).argmax() for column in votes.T]
    np.testing.assert_array_equal(found, most)
    scores = model.evaluate(MemoryChannel("test", validation))
    assert scores["validation:accuracy"] == pytest.approx(np.mean(found == validation.labels()))


def test_models_of_different_kinds_do_not_go_together() -> None:
    models = [trained({"num_round": 1}, rows(kind)[0])[0] for kind in ("regression", "wine")]
    with pytest.raises(CallerError, match="must have one objective and width"):
        XGBoostModel([model.boosters[0] for model in models], models[0].params)


def test_the_summary_can_be_written_as_json() -> None:
    train, validation = rows("binary")
    params = {"num_round": 30, "objective": "binary:logistic", "early_stopping_rounds": 2}
    model, _ = trained(params, train, validation)
    told = json.loads(json.dumps(model.summary()))
    assert told["objective"] == "binary:logistic"
    assert told["rounds"] == told["best_iteration"] + 1
    gains = list(told["importances"]["gain"].values())
    assert gains == sorted(gains, reverse=True)
    assert told["importances"]["gain"] == pytest.approx(
        model.boosters[0].get_score(importance_type="gain")
    )


def test_a_linear_model_tells_its_coefficients() -> None:
    train, _ = rows("regression")
    params = {"booster": "gblinear", "updater": "coord_descent"}
    model, _ = trained({"num_round": 3, **params}, train)
    assert len(model.summary()["coefficients"]) == 10
    assert [figure.title for figure in model.figures(train)][-1] == "Spread of the residuals"


@pytest.mark.parametrize(
    ("kind", "objective", "titles"),
    [
        ("binary", "binary:logistic", ["Confusion matrix", "ROC curve", "Precision and recall"]),
        ("multiclass", "multi:softprob", ["Confusion matrix", "ROC curve", "Precision and recall"]),
        (
            "regression",
            "reg:squarederror",
            ["Predicted and true values", "Residuals", "Spread of the residuals"],
        ),
        ("wine", "rank:ndcg", []),
    ],
)
def test_figures_suit_the_objective(kind: str, objective: str, titles: list[str]) -> None:
    train, validation = rows(kind)
    model, _ = trained({"num_round": 3, "objective": objective}, train)
    found = [figure.title.partition(",")[0] for figure in model.figures(validation)]
    assert found == ["Importance of features", *titles]
    assert len(model.figures(None)) == 1


def test_the_roc_curve_has_the_area_of_scikit_learn() -> None:
    train, validation = rows("binary")
    model, _ = trained({"num_round": 2, "objective": "binary:logistic"}, train)
    area = theirs.roc_auc_score(validation.labels(), model.predict(validation)["score"])
    captions = {figure.title: figure.caption for figure in model.figures(validation)}
    assert f"{area:.4f}" in captions["ROC curve"]


def test_a_model_says_what_it_was_trained_with(tmp_path: Path) -> None:
    train, _ = rows("multiclass")
    model, _ = trained({"num_round": 2, "objective": "multi:softprob", "eta": 0.5}, train)
    model.save(tmp_path)
    again = XGBoostModel.load(tmp_path, model.params.values())
    assert again.params == model.params
    foreign = XGBoostModel.load(tmp_path)
    assert foreign.params.objective == "multi:softprob"
    assert foreign.params.num_class == 3
    assert foreign.params.num_round == 2


def test_objectives_beyond_the_declared_ones_are_served_too(tmp_path: Path) -> None:
    train, validation = rows("regression")
    params = {"objective": "reg:quantileerror", "quantile_alpha": 0.9}
    booster = plain(params, train, 3)
    (tmp_path / "xgboost-model").write_bytes(booster.save_raw("ubj"))
    model = XGBoostModel.load(tmp_path)
    np.testing.assert_array_equal(
        np.asarray(model.predict(validation)["score"]),
        booster.predict(xgboost.DMatrix(validation.features)),
    )
    assert "validation:rmse" in model.evaluate(MemoryChannel("test", validation))
