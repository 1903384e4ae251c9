"""Scores of finished predictions: the engine's metrics and ours, as in training.

The engine scores only what a model of its own predicts. A model without trees predicts the base
margins that it is given; so it is given the margins to be scored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xgboost

from clary.algorithms.xgboost import objectives
from clary.algorithms.xgboost.boosting import DataSet, scored
from clary.algorithms.xgboost.matrices import Rows, value_matrix
from clary.algorithms.xgboost.metrics import Scorer, plan_for
from clary.algorithms.xgboost.spec import XGBoostHyperparameters
from clary.codecs.batch import Floats
from clary.kit.cluster import Cluster

_COUNTED = ("accuracy", "balanced_accuracy", "f1")
_OF_KIND: dict[str, tuple[str, ...]] = {
    "binary": ("error", *_COUNTED, "f1_binary", "precision", "recall"),
    "multiclass": ("merror", "mlogloss", *_COUNTED, "precision_macro", "recall_macro"),
    "regression": ("rmse", "mae", "mse", "r2"),
    "ranking": ("ndcg",),
    "survival": (),
}
_OF_OBJECTIVE: dict[str, tuple[str, ...]] = {
    "binary:logistic": ("logloss",),
    "reg:logistic": ("logloss",),
    "reg:squaredlogerror": ("rmsle",),
    "reg:pseudohubererror": ("mphe",),
    "reg:gamma": ("gamma-nloglik", "gamma-deviance"),
    "reg:tweedie": ("tweedie-nloglik",),
    "count:poisson": ("poisson-nloglik",),
    "rank:map": ("map",),
    "survival:cox": ("cox-nloglik",),
    "survival:aft": ("aft-nloglik", "interval-regression-accuracy"),
}
_EXPONENTIALS = {"count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft"}


def evaluated(
    params: XGBoostHyperparameters, margins: Floats, rows: Rows, threads: int
) -> dict[str, float]:
    """The metrics that suit the objective, and those of eval_metric, by name.

    `margins` are the predictions before the link function, of shape (rows,) or (rows, classes).
    The features of `rows` do not matter; there must be one at least.
    """
    # The engine takes the margins of binary:logitraw for probabilities
    objective = params.objective.replace("logitraw", "logistic")
    if objective not in params.declared()["objective"].choices:
        objective = "reg:squarederror"
    names = [*_OF_KIND[objectives.kind(objective)], *_OF_OBJECTIVE.get(objective, ())]
    if objective.startswith("binary:") and len(np.unique(rows.label)) == 2:
        names += ["auc", "aucpr"]
    names += [one for one in params.eval_metric or () if "@" not in one]
    asked = {"objective": objective, "eval_metric": tuple(dict.fromkeys(names))}
    plan = plan_for(params.having(**asked, internal_tuning_objective_metric=None))
    matrix = value_matrix(rows, objective, threads)
    matrix.set_base_margin(margins)
    scorer = None
    if plan.ours:
        classes = params.num_class
        scorer = Scorer(plan.ours, objective, classes, rows.label, rows.weights, Cluster())
    booster = xgboost.Booster(_blank(params, objective, threads) | plan.parameters(), [matrix])
    return dict(scored(booster, 0, [DataSet("validation", matrix, scorer)], plan)["validation"])


def margins_of(objective: str, num_class: int | None, score: Floats) -> Floats:
    """The margins whose predictions are those of an average: the link function undone."""
    smallest = np.finfo(np.float32).tiny
    if objective == "multi:softmax":
        return np.asarray(np.eye(num_class or 2, dtype=np.float32)[score.astype(int)])
    if objective == "binary:hinge":
        return 2 * score - 1
    if objective in objectives.LOGISTIC - {"binary:logitraw"}:
        return np.log(np.maximum(score, smallest)) - np.log(np.maximum(1 - score, smallest))
    if objective in _EXPONENTIALS or objective == "multi:softprob":
        return np.log(np.maximum(score, smallest))
    return score


def _blank(params: XGBoostHyperparameters, objective: str, threads: int) -> dict[str, Any]:
    found: dict[str, Any] = {"objective": objective, "nthread": threads, "base_score": 0.5}
    if objective.startswith("multi:"):
        found["num_class"] = params.num_class
    if params.aft_loss_distribution:
        found["aft_loss_distribution"] = params.aft_loss_distribution
    if params.aft_loss_distribution_scale:
        found["aft_loss_distribution_scale"] = params.aft_loss_distribution_scale
    return found
