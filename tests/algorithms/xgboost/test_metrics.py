"""The metrics that SageMaker's image computes itself, held against scikit-learn's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics as theirs

from clary.algorithms.xgboost.metrics import Scorer, is_maximized, plan_for
from clary.algorithms.xgboost.spec import CLASS_METRICS, XGBoostHyperparameters
from clary.kit.cluster import Cluster
from tests.algorithms.xgboost.training import rows, trained

Labels = npt.NDArray[Any]


def expected(label: Labels, told: Labels, weights: Labels | None) -> dict[str, float]:
    """scikit-learn's values."""
    rest = {"sample_weight": weights, "zero_division": 0}
    found = {
        "accuracy": theirs.accuracy_score(label, told, sample_weight=weights),
        "balanced_accuracy": theirs.balanced_accuracy_score(label, told, sample_weight=weights),
        "f1": theirs.f1_score(label, told, average="macro", **rest),
        "f1_macro": theirs.f1_score(label, told, average="macro", **rest),
        "precision_macro": theirs.precision_score(label, told, average="macro", **rest),
        "precision_micro": theirs.precision_score(label, told, average="micro", **rest),
        "recall_macro": theirs.recall_score(label, told, average="macro", **rest),
        "recall_micro": theirs.recall_score(label, told, average="micro", **rest),
    }
    if label.max() <= 1 and told.max() <= 1:
        found["f1_binary"] = theirs.f1_score(label, told, **rest)
        found["precision"] = theirs.precision_score(label, told, **rest)
        found["recall"] = theirs.recall_score(label, told, **rest)
    return found


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("seed", range(5))
def test_class_metrics_are_those_of_scikit_learn(seed: int, classes: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    # One class never occurs, and one is never told
    label = rng.integers(0, max(2, classes - 1), 60)
    told = rng.integers(0, classes, 60)
    told[told == 1] = 0 if seed == 0 else 1
    weights = rng.uniform(0.1, 3, 60).astype(np.float32) if weighted else None
    wanted = expected(label, told, weights)
    scorer = Scorer(
        tuple(wanted), "multi:softmax", classes, label.astype(np.float32), weights, Cluster()
    )
    found = scorer.scores(told.astype(np.float32))
    assert found == pytest.approx(wanted, abs=1e-12)


def test_all_class_metrics_are_held_against_scikit_learn() -> None:
    assert set(expected(np.array([0, 1]), np.array([0, 1]), None)) == CLASS_METRICS


@pytest.mark.parametrize("objective", ["binary:logistic", "binary:logitraw", "binary:hinge"])
def test_class_1_begins_at_one_half_of_the_probability(objective: str) -> None:
    train, validation = rows("binary")
    names = "accuracy,f1,f1_binary,precision,recall,balanced_accuracy"
    params = {"num_round": 15, "objective": objective, "eval_metric": names}
    model, heard = trained(params, train, validation)
    told = np.asarray(model.predict(validation)["predicted_label"])
    label = validation.labels()
    for name, value in expected(label, told, None).items():
        if name in names.split(","):
            assert heard.values(f"validation:{name}")[-1] == pytest.approx(value, abs=1e-12)
    # A share of all rows, as if every row were told to be of class 1, would be .63
    assert heard.values("validation:accuracy")[-1] > 0.9


def test_errors_of_regression_are_those_of_the_predictions() -> None:
    train, validation = rows("regression")
    weights = np.linspace(0.5, 2, validation.rows, dtype=np.float32)
    validation = replace(validation, weights=weights)
    params = {"num_round": 5, "objective": "count:poisson", "eval_metric": "mse,rmse,mae,r2"}
    model, heard = trained(params, train, validation)
    score, label = np.asarray(model.predict(validation)["score"], np.float64), validation.labels()
    wanted = {
        "mse": theirs.mean_squared_error(label, score, sample_weight=weights),
        "rmse": theirs.root_mean_squared_error(label, score, sample_weight=weights),
        "mae": theirs.mean_absolute_error(label, score, sample_weight=weights),
        "r2": theirs.r2_score(label, score, sample_weight=weights),
    }
    found = {name: heard.values(f"validation:{name}")[-1] for name in wanted}
    # The engine adds up in single precision
    assert found == pytest.approx(wanted, rel=1e-5)


def test_margins_of_logitraw_are_not_taken_for_probabilities() -> None:
    train, validation = rows("binary")
    params = {"num_round": 3, "eval_metric": "logloss,error"}
    model, heard = trained({**params, "objective": "binary:logitraw"}, train, validation)
    margins = np.asarray(model.predict(validation)["score"], np.float64)
    loss = theirs.log_loss(validation.labels(), 1 / (1 + np.exp(-margins)))
    wrong = np.mean((margins > 0) != (validation.labels() == 1))
    assert heard.values("validation:logloss")[-1] == pytest.approx(loss)
    assert heard.values("validation:error")[-1] == pytest.approx(wrong)
    _, default = trained({"num_round": 3, "objective": "binary:logitraw"}, train)
    assert default.values("train:logloss") == heard.values("train:logloss")


def test_shares_of_right_classes_need_whole_labels() -> None:
    train, _ = rows("binary")
    halves = replace(train, label=train.labels() / 2)
    params = {"num_round": 1, "objective": "reg:logistic"}
    trained({**params, "eval_metric": "logloss"}, halves)
    with pytest.raises(Exception, match="label: must be one whole number a row for accuracy"):
        trained({**params, "eval_metric": "accuracy"}, halves)


def test_the_metric_of_tuning_joins_the_others_and_is_watched() -> None:
    given = {
        "num_round": 1,
        "objective": "binary:logistic",
        "eval_metric": "logloss,auc",
        "_tuning_objective_metric": "validation:f1",
    }
    plan = plan_for(XGBoostHyperparameters.parse(given))
    assert plan.given == ("auc", "f1", "logloss")
    assert plan.watched == "f1"


def test_a_tweedie_metric_takes_the_power_of_the_objective() -> None:
    given = {"num_round": 1, "objective": "reg:tweedie", "eval_metric": "tweedie-nloglik"}
    plan = plan_for(XGBoostHyperparameters.parse({**given, "tweedie_variance_power": "1.2"}))
    assert plan.engine == {"tweedie-nloglik": "tweedie-nloglik@1.2"}


@pytest.mark.parametrize("name", ["auc", "ndcg@3", "r2", "f1", "interval-regression-accuracy"])
def test_more_of_these_is_better(name: str) -> None:
    assert is_maximized(name)
    assert not is_maximized("rmse")
