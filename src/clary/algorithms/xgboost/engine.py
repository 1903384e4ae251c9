"""Hyperparameters as today's engine takes them, and its complaints in the user's words.

SageMaker's table has grown over nine versions of the engine. What is gone from today's is mapped
to what replaced it, or has become needless; each time the log says so.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import xgboost

from clary import settings
from clary.algorithms.xgboost.spec import XGBoostHyperparameters
from clary.errors import CallerError, Fault

# Not the engine's: Clary's own, or mapped below
_NOT_PASSED = frozenset(
    {
        "num_class",
        "num_round",
        "csv_weights",
        "deterministic_histogram",
        "early_stopping_rounds",
        "eval_metric",
        "lambda_bias",
        "nthread",
        "seed",
        "silent",
        "single_precision_histogram",
        "sketch_eps",
        "use_dask_gpu_training",
        "verbosity",
        "dsplit",
        "predictor",
        "prob_buffer_row",
        "save_model_on_termination",
        "_kfold",
        "_num_cv_round",
        "_tuning_objective_metric",
    }
)
_TREES = frozenset(
    {
        "colsample_bylevel",
        "colsample_bynode",
        "colsample_bytree",
        "gamma",
        "grow_policy",
        "interaction_constraints",
        "max_bin",
        "max_delta_step",
        "max_depth",
        "max_leaves",
        "min_child_weight",
        "monotone_constraints",
        "num_parallel_tree",
        "process_type",
        "refresh_leaf",
        "sampling_method",
        "subsample",
        "tree_method",
    }
)
_HISTOGRAMS = frozenset({"grow_policy", "max_bin", "max_leaves"})
_DROPOUT = frozenset({"normalize_type", "one_drop", "rate_drop", "sample_type", "skip_drop"})
_OF_OBJECTIVE = {
    "tweedie_variance_power": "reg:tweedie",
    "aft_loss_distribution": "survival:aft",
    "aft_loss_distribution_scale": "survival:aft",
}
# Where the engine weighs rows of label 1
_POSITIVES = frozenset(
    {
        "binary:logistic",
        "binary:logitraw",
        "reg:logistic",
        "reg:linear",
        "reg:squarederror",
        "reg:squaredlogerror",
        "reg:gamma",
    }
)


@dataclass(frozen=True)
class Engine:
    """The engine's parameters, and sentences about hyperparameters that are not what they were."""

    parameters: dict[str, Any]
    notices: tuple[str, ...]
    verbosity: int

    @property
    def threads(self) -> int:
        return int(self.parameters["nthread"])


def engine_for(params: XGBoostHyperparameters, device: str, hosts: int) -> Engine:
    """The engine that a training's hyperparameters ask for.

    Raises:
        CallerError: they ask for something that today's engine cannot do.
    """
    if params.max_bin < 2:
        raise CallerError.of("max_bin", "must be at least 2", params.max_bin)
    if params.use_dask_gpu_training == "true" and hosts > 1:
        raise CallerError.of(
            "use_dask_gpu_training",
            "must be false on several hosts",
            params.use_dask_gpu_training,
            "Leave it out and shard the files over the hosts (ShardedByS3Key).",
        )
    # The engine would train a model of its own on each
    if hosts > 1 and (params.booster == "gblinear" or params.objective == "survival:cox"):
        name = "booster" if params.booster == "gblinear" else "objective"
        raise CallerError.of(name, "runs on one host only", getattr(params, name))
    chosen, notices = _chosen(params)
    parameters = {
        **{name: _written(name, value) for name, value in chosen.items()},
        "objective": params.objective.replace("reg:linear", "reg:squarederror"),
        "seed": params.seed,
        "nthread": _threads(params),
        **_binning(params, chosen),
    }
    if "multi:" in params.objective:
        parameters["num_class"] = params.num_class
    on_gpu = device.startswith("cuda") and bool(xgboost.build_info()["USE_CUDA"])
    if on_gpu:
        parameters["device"] = device
    verbosity = 0 if params.silent else params.verbosity
    return Engine(parameters, (*notices, *_history(params, on_gpu)), verbosity)


@contextmanager
def complaints() -> Iterator[None]:
    """What the engine refuses because of the user's data or hyperparameters is a CallerError."""
    try:
        yield
    except xgboost.core.XGBoostError as error:
        fault = _explained(str(error))
        if fault is None:
            raise
        raise CallerError(fault) from error


def uses_quantiles(params: XGBoostHyperparameters) -> bool:
    """Whether trees are grown on quantile bins of the raw values, made once."""
    return (
        params.booster != "gblinear"
        and params.tree_method in {"auto", "hist", "gpu_hist"}
        and not params.updater
        and params.process_type == "default"
    )


def draws(params: XGBoostHyperparameters) -> bool:
    """Whether a training draws rows, columns or trees by chance."""
    shares = (
        params.subsample,
        params.colsample_bylevel,
        params.colsample_bynode,
        params.colsample_bytree,
    )
    return min(shares) < 1 or params.booster == "dart"


def _chosen(params: XGBoostHyperparameters) -> tuple[dict[str, Any], list[str]]:
    """What differs from the engine's defaults and means something to this booster and objective."""
    chosen, notices = {}, []
    for name, one in params.declared().items():
        value = params.values()[name]
        if (
            name in _NOT_PASSED
            or value is None
            or (value == one.default and not one.left_to_engine)
        ):
            continue
        reason = _useless(name, params)
        if reason:
            notices.append(f"{name}: no effect, {reason}")
        else:
            chosen[name] = value
    if params.num_class and not params.objective.startswith("multi:"):
        notices.append("num_class: no effect, only objectives multi:* have classes to count")
    return chosen, notices


def _useless(name: str, params: XGBoostHyperparameters) -> str:
    if name in _DROPOUT and params.booster != "dart":
        return "only booster dart drops trees"
    if name in _TREES and params.booster == "gblinear":
        return "booster gblinear grows no trees"
    if name in _HISTOGRAMS and params.tree_method == "exact":
        return "tree_method exact has no histograms and grows level by level"
    if name == "tree_method" and params.updater:
        return "updater says how trees are built"
    if name == "refresh_leaf" and "refresh" not in (params.updater or ()):
        return "updater does not hold refresh"
    if name == "scale_pos_weight" and params.objective not in _POSITIVES:
        return f"objective {params.objective} does not tell positive rows from others"
    needed = _OF_OBJECTIVE.get(name, params.objective)
    return f"only objective {needed} has it" if needed != params.objective else ""


def _written(name: str, value: Any) -> Any:
    if name == "monotone_constraints":
        return f"({','.join(str(int(one)) for one in value)})"
    if name == "interaction_constraints":
        return json.dumps(value)
    if name == "updater":
        return ",".join(value)
    return "hist" if value == "gpu_hist" else value


def _threads(params: XGBoostHyperparameters) -> int:
    """Shotgun updates without locks, so with more threads its result would be a matter of luck."""
    if params.nthread:
        return params.nthread
    lucky = params.booster == "gblinear" and (params.updater or ("shotgun",)) == ("shotgun",)
    return 1 if lucky else settings.threads()


def _binning(params: XGBoostHyperparameters, chosen: dict[str, Any]) -> dict[str, Any]:
    if params.sketch_eps is None or params.tree_method != "approx" or "max_bin" in chosen:
        return {}
    return {"max_bin": max(2, math.ceil(1 / params.sketch_eps))}


def _history(params: XGBoostHyperparameters, on_gpu: bool) -> list[str]:
    """What has become of hyperparameters of older engines, for those that were set."""
    notices = []
    if params.tree_method == "gpu_hist" and not on_gpu:
        notices.append("tree_method: no GPU to use here, gpu_hist is hist on the processors")
    if params.use_dask_gpu_training == "true":
        notices.append("use_dask_gpu_training: trained in one process without Dask")
    if params.sketch_eps is not None:
        bins = max(2, math.ceil(1 / params.sketch_eps))
        used = params.tree_method == "approx" and params.max_bin == 256
        meaning = f"max_bin {bins}" if used else "no effect, max_bin or the tree_method decides"
        notices.append(f"sketch_eps: {meaning}")
    if params.single_precision_histogram == "true":
        notices.append("single_precision_histogram: histograms are in double precision")
    if params.deterministic_histogram == "false":
        notices.append("deterministic_histogram: histograms are deterministic always")
    if params.predictor not in {None, "auto"}:
        notices.append("predictor: predictions are made where the training runs")
    if params.lambda_bias > 0:
        notices.append("lambda_bias: no effect, the bias of a linear model is not penalized")
    if params.prob_buffer_row is not None:
        notices.append("prob_buffer_row: no effect, files are read by Clary")
    if params.internal_num_cv_round > 1 and not params.internal_kfold:
        notices.append("_num_cv_round: no effect without _kfold")
    if params.booster == "gblinear" and not params.nthread and _threads(params) == 1:
        notices.append("nthread: shotgun runs on one thread, so that results can be repeated")
    return notices


_COMPLAINTS: tuple[tuple[str, Fault], ...] = (
    (
        r"base_score`? must be",
        Fault("base_score", "must suit the objective: above 0, and below 1 for logistic ones"),
    ),
    (
        r"label and prediction size not match",
        Fault("eval_metric", "one of the metrics does not suit the objective"),
    ),
    (
        r"[Ii]nput data contains `inf`",
        Fault("features", "must be finite or missing, and some are infinite"),
    ),
    (
        r"Label contains NaN, infinity or a value too large",
        Fault("label", "must be a finite number in every row"),
    ),
    (r"qid.* must be sorted|non-decreasing order", Fault("qid", "must not fall from row to row")),
    (
        r"can only be used with binary labels",
        Fault("label", "must be 0 or 1 for the metric or objective map"),
    ),
    (
        r"label must be either 0 or positive integer",
        Fault("label", "must be a whole number from 0 on for the metric ndcg"),
    ),
    (
        r"not support distributed evaluation",
        Fault("eval_metric", "one of the metrics can be computed on one host only"),
    ),
    (
        r"Number of columns does not match",
        Fault("features", "must be as many as those of the model to go on from"),
    ),
    (
        r"No more tree left for updating",
        Fault("num_round", "is more than the rounds of the model to update"),
    ),
    (
        r"can not be used to create new trees",
        Fault("updater", "refresh and prune need process_type update and a model channel"),
    ),
    (
        r"exact` tree method doesn't support distributed",
        Fault("tree_method", "exact runs on one host only", remedy="Use hist or approx."),
    ),
    (
        r"exact tree method doesn't support unlimited depth",
        Fault("max_depth", "must be above 0 with tree_method exact"),
    ),
    (
        r"sample by node is not yet supported by the exact",
        Fault("colsample_bynode", "must be 1 with tree_method exact"),
    ),
)
_VALUE = re.compile(r"value (\S+) for Parameter (\w+) (should be [^\n]+)")


def _explained(message: str) -> Fault | None:
    if match := _VALUE.search(message):
        value, name, rule = match.groups()
        return Fault(name, rule.replace("greater equal to", "at least"), value)
    for pattern, fault in _COMPLAINTS:
        if re.search(pattern, message):
            return fault
    return None
