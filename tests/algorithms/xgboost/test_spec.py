"""The rules between hyperparameters, and what old ones mean today."""

from __future__ import annotations

from typing import Any

import pytest

from clary.algorithms.xgboost.spec import XGBoostHyperparameters
from clary.errors import CallerError

REFUSED = [
    ({"objective": "aft_loss_distribution"}, "objective: aft_loss_distribution is a hyperparam"),
    ({"eval_metric": "auc"}, r"eval_metric: auc needs an objective binary:\* or rank:\*"),
    ({"eval_metric": "aft-nloglik"}, "aft-nloglik needs an objective survival:aft"),
    ({"eval_metric": "accuracy"}, "accuracy needs an objective that tells classes apart"),
    ({"eval_metric": "merror", "objective": "binary:logistic"}, r"needs an objective multi:\*"),
    (
        {"eval_metric": "rmse", "objective": "multi:softprob", "num_class": 3},
        "rmse needs one number a row",
    ),
    (
        {"eval_metric": "f1_binary", "objective": "multi:softprob", "num_class": 3},
        "for more classes there is f1_macro",
    ),
    ({"eval_metric": "logless"}, "Did you mean 'logloss'"),
    ({"_tuning_objective_metric": "validation:auc"}, "_tuning_objective_metric: auc needs"),
    ({"objective": "binary:logistic", "base_score": 1}, "base_score: must be above 0 and below 1"),
    ({"booster": "gblinear", "updater": "shotgun,coord_descent"}, "updater: must be shotgun or"),
    ({"booster": "gblinear", "updater": "grow_colmaker"}, "with booster gblinear"),
    ({"updater": "shotgun"}, "need booster gblinear"),
    ({"process_type": "update", "updater": "grow_colmaker,prune"}, "only be refresh and prune"),
    ({"updater": "grow_colmaker,grow_histmaker"}, "at most one of grow_colmaker"),
    ({"updater": "distcol"}, "updater: distcol is gone from today's engine"),
    ({"monotone_constraints": "(0, 1)"}, "needs tree_method to be set to exact or hist"),
    (
        {"monotone_constraints": "(0, 1)", "tree_method": "approx"},
        "monotone_constraints: needs tree_method",
    ),
    ({"monotone_constraints": "(0, 2)", "tree_method": "hist"}, "must be a list of -1, 0, 1"),
    (
        {"interaction_constraints": "[[1, 2]]"},
        "needs tree_method to be set to exact or hist or appr",
    ),
    (
        {"interaction_constraints": "[[1, -2]]", "tree_method": "hist"},
        "lists of feature numbers, counted from 0",
    ),
    ({"use_dask_gpu_training": "true"}, "needs tree_method to be set to gpu_hist or hist"),
    ({"dsplit": "col"}, "dsplit: data is split over hosts by rows only"),
    ({"max_dept": 3}, "Did you mean 'max_depth'"),
    ({"seed": 2147483647}, "seed: must be below 2147483647"),
    ({"subsample": 0}, "subsample: must be above 0"),
]


@pytest.mark.parametrize(("given", "words"), REFUSED, ids=str)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(CallerError, match=words):
        XGBoostHyperparameters.parse({"num_round": "10", **given})


@pytest.mark.parametrize(
    "given",
    [
        {"eval_metric": "error@0.7,ndcg@5,map@3-,auc", "objective": "rank:map"},
        {"eval_metric": '["rmse", "mae"]'},
        {"eval_metric": "f1_binary", "objective": "multi:softprob", "num_class": "2"},
        {"eval_metric": "accuracy,error", "objective": "reg:logistic"},
        {"monotone_constraints": "(0, -1, 1)", "tree_method": "exact"},
        {"interaction_constraints": "[[0, 2], [1, 3, 4]]", "tree_method": "approx"},
        {"process_type": "update", "updater": "refresh,prune", "refresh_leaf": "0"},
        {"objective": "multi:softmax"},
    ],
    ids=str,
)
def test_what_goes_together_is_accepted(given: dict[str, Any]) -> None:
    XGBoostHyperparameters.parse({"num_round": "10", **given})


def test_old_names_are_understood() -> None:
    old = {"learning_rate": "0.1", "min_split_loss": "2", "reg_lambda": "3", "reg_alpha": "4"}
    params = XGBoostHyperparameters.parse({"num_round": "10", **old})
    assert (params.eta, params.gamma, params.lambda_, params.alpha) == (0.1, 2, 3, 4)


def test_a_notebook_of_the_first_image_is_still_understood() -> None:
    # The hyperparameters of AWS's direct marketing example
    params = XGBoostHyperparameters.parse(
        {
            "max_depth": "5",
            "eta": "0.2",
            "gamma": "4",
            "min_child_weight": "6",
            "subsample": "0.8",
            "silent": "0",
            "objective": "binary:logistic",
            "num_round": "100",
        }
    )
    assert params.silent == 0
