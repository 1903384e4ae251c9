"""Early stopping: on the last metric of validation, keeping the best model."""

from __future__ import annotations

from typing import Any

import pytest
import xgboost

from clary.codecs.batch import Batch
from tests.algorithms.xgboost.training import plain, rows, same_trees, trained

BINARY = {"objective": "binary:logistic"}


def library(params: dict[str, Any], metric: str, patience: int, maximize: bool) -> xgboost.Booster:
    """The library's own early stopping."""
    train, validation = rows("binary")
    matrix = xgboost.DMatrix(train.features, train.label)
    held_out = xgboost.DMatrix(validation.features, validation.label)
    stopping = xgboost.callback.EarlyStopping(
        rounds=patience,
        metric_name=metric,
        data_name="validation",
        maximize=maximize,
        save_best=True,
    )
    return xgboost.train(
        {**params, "eval_metric": metric},
        matrix,
        60,
        evals=[(matrix, "train"), (held_out, "validation")],
        callbacks=[stopping],
        verbose_eval=False,
    )


@pytest.mark.parametrize(("metric", "maximize"), [("auc", True), ("error", False)])
def test_the_best_rounds_are_kept_as_the_library_does(metric: str, maximize: bool) -> None:
    train, validation = rows("binary")
    theirs = library(BINARY, metric, 4, maximize)
    names = "logloss," + metric
    params = {**BINARY, "num_round": 60, "early_stopping_rounds": 4, "eval_metric": names}
    model, heard = trained(params, train, validation)
    ours = model.boosters[0]
    assert ours.num_boosted_rounds() < len(heard.rounds) < 60
    assert ours.best_iteration == theirs.best_iteration
    assert ours.best_score == pytest.approx(theirs.best_score)
    assert heard.lines[-1] == f"stopped early: the best round is [{theirs.best_iteration}]"
    assert same_trees(ours, theirs)


@pytest.mark.parametrize(
    "params",
    [
        {"booster": "dart", "rate_drop": 0.5, "seed": 1, "eta": 1},
        {"booster": "gblinear", "updater": "coord_descent", "eta": 1, "lambda": 0},
    ],
    ids=["dart", "gblinear"],
)
def test_models_whose_rounds_change_are_those_of_the_best_round(params: dict[str, Any]) -> None:
    train, validation = rows("binary")
    params = {**BINARY, **params}
    given = {"num_round": 60, "early_stopping_rounds": 3, "eval_metric": "error", **params}
    model, heard = trained(given, train, validation)
    best = int(heard.lines[-1].rpartition("[")[2].rstrip("]"))
    assert best + 3 == len(heard.rounds) - 1
    assert same_trees(model.boosters[0], plain(params, train, best + 1))


def test_the_metric_of_automatic_tuning_is_watched() -> None:
    train, validation = rows("binary")
    given = {"num_round": 60, "early_stopping_rounds": 3, **BINARY, "eval_metric": "logloss"}
    tuned = {**given, "_tuning_objective_metric": "validation:accuracy"}
    model, heard = trained(tuned, train, validation)
    accuracy = heard.values("validation:accuracy")
    assert model.boosters[0].num_boosted_rounds() == accuracy.index(max(accuracy)) + 1


def test_without_a_metric_given_the_objectives_own_is_watched() -> None:
    train, validation = rows("binary")
    given = {"num_round": 100, "early_stopping_rounds": 3, **BINARY, "eta": 1}
    model, heard = trained(given, train, validation)
    loss = heard.values("validation:logloss")
    assert model.boosters[0].num_boosted_rounds() == loss.index(min(loss)) + 1 < len(loss) < 100


def test_without_validation_all_rounds_are_made_and_the_log_says_so() -> None:
    train, _ = rows("binary")
    model, heard = trained({"num_round": 5, "early_stopping_rounds": 1, **BINARY}, train)
    assert model.boosters[0].num_boosted_rounds() == 5
    assert "early_stopping_rounds: no effect without a validation channel" in heard.lines


def test_a_metric_that_is_not_a_number_stops_nothing() -> None:
    train, validation = rows("regression")
    # rmsle of predictions below -1 is not a number
    below = Batch(train.features, -train.labels())
    given = {"num_round": 4, "early_stopping_rounds": 10, "eval_metric": "rmsle", "eta": 1}
    model, _ = trained(given, below, validation)
    assert model.boosters[0].num_boosted_rounds() == 1
