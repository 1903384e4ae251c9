"""XGBoost: the library itself, under SageMaker's names.

Chen and Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016. The stages: hyperparameters
to the engine's parameters; channels to rows whose labels suit the objective; rows to the engine's
matrices; the rounds, each with its log line; the best model, if early stopping chose one. With
_kfold the rounds are made for each fold. On several hosts the engine adds up the hosts' histograms,
so that each host's rows stay with it; a host may have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import xgboost

from clary.algorithms.xgboost import labels, matrices, objectives
from clary.algorithms.xgboost.artifact import read_boosters
from clary.algorithms.xgboost.boosting import DataSet, log_line, rounds, watch_for
from clary.algorithms.xgboost.checkpoint import Progress
from clary.algorithms.xgboost.engine import (
    Engine,
    complaints,
    draws,
    engine_for,
    uses_quantiles,
)
from clary.algorithms.xgboost.folds import cross_validated
from clary.algorithms.xgboost.matrices import Rows
from clary.algorithms.xgboost.metrics import Plan, Scorer, plan_for
from clary.algorithms.xgboost.model import XGBoostModel
from clary.algorithms.xgboost.spec import XGBoostHyperparameters
from clary.errors import CallerError
from clary.kit.run import Run

XGBoostRun = Run[XGBoostHyperparameters]

_TWO_CLASS_METRICS = {"auc", "aucpr"}


def fit(run: XGBoostRun) -> XGBoostModel:
    """Train a model, or one for each fold.

    Raises:
        CallerError: the data or the hyperparameters do not allow it.
    """
    if "seed" not in run.params.given():
        run.resolved(seed=run.seed)
    engine = engine_for(run.params, run.device, run.cluster.size)
    for notice in engine.notices:
        run.log(notice)
    earlier = _earlier_model(run)
    with xgboost.config_context(verbosity=engine.verbosity), complaints():
        channels = _channels(run, earlier.width if earlier else 0)
        if run.params.num_class and run.params.objective.startswith("multi:"):
            classes = {"num_class": run.params.num_class}
            engine = replace(engine, parameters={**engine.parameters, **classes})
        if run.params.internal_kfold:
            return XGBoostModel(cross_validated(run, engine, list(channels.values())), run.params)
        start = bytes(earlier.boosters[0].save_raw("ubj")) if earlier else b""
        booster = _boosted(run, engine, channels, start)
    return XGBoostModel([booster], run.params)


def _channels(run: XGBoostRun, width: int) -> dict[str, Rows]:
    """The rows of train and validation, with labels that suit the objective.

    They get one width: that of the earlier model if it is not 0, else their own.
    """
    names = [name for name in ("train", "validation") if name in run.channels]
    found = {
        name: matrices.read(run.channels[name], run.cluster, lambda: run.stop) for name in names
    }
    if run.params.objective.startswith("multi:") and run.params.num_class is None:
        run.resolved(num_class=_count_classes(run, found["train"]))
    if run.params.csv_weights and all(rows.weights is None for rows in found.values()):
        run.log("csv_weights: no effect, the rows are not CSV")
    for rows in found.values():
        labels.check(rows, run.params.objective, run.params.num_class)
        _need_two_classes(run, rows)
    if not width:
        # Sparse validation rows may have features that no training row has
        wide = [rows.width for rows in found.values() if rows.is_sparse or rows.channel == "train"]
        width = max(wide)
    found = {name: matrices.fitted(rows, width) for name, rows in found.items()}
    _check_constraints(run.params, width)
    return found


def _boosted(
    run: XGBoostRun, engine: Engine, channels: Mapping[str, Rows], start: bytes
) -> xgboost.Booster:
    """The booster after all rounds, or the best; `start` is a model to go on from."""
    params, plan = run.params, plan_for(run.params)
    # The bins of these rows do not suit the trees of an earlier model
    binned = uses_quantiles(params) and not start
    data = _data_sets(run, engine, plan, channels, binned)
    watch = watch_for(params, plan) if len(data) > 1 else None
    if params.early_stopping_rounds and not watch:
        run.log("early_stopping_rounds: no effect without a validation channel")
    progress = Progress(watch)
    model = progress.resume(run) or start
    parameters = {**engine.parameters, **plan.parameters()}
    if progress.rounds and draws(params):
        run.log("rows, columns or trees are drawn anew: the model is not that of an unbroken run")
        parameters["seed"] += progress.rounds
    booster = xgboost.Booster(
        parameters, [one.matrix for one in data], model_file=bytearray(model) if model else None
    )
    rounds_before = booster.num_boosted_rounds() - progress.rounds
    for round_, scores in rounds(booster, data, plan, progress.rounds, params.num_round):
        progress.add(scores)
        run.log(log_line(round_, scores))
        for channel, found in scores.items():
            for name, value in plan.declared(found).items():
                run.report(f"{channel}:{name}", value, epoch=round_)
        if watch and watch.see(round_, scores, booster):
            run.log(f"stopped early: the best round is [{watch.best_round}]")
            break
        stopped = run.stopped_anywhere()
        progress.save(run, booster, at_once=stopped)
        if stopped:
            run.log(f"stopped after round [{round_}]: the model is that of the rounds so far")
            break
    return (watch.best(booster, rounds_before) if watch else booster).reset()


def _data_sets(
    run: XGBoostRun, engine: Engine, plan: Plan, channels: Mapping[str, Rows], binned: bool
) -> list[DataSet]:
    """The rows as the engine's matrices; the rows themselves are let go."""
    objective = run.params.objective
    data: list[DataSet] = []
    for name, rows in channels.items():
        scorer = None
        if plan.ours:
            classes = run.params.num_class
            label, weights = rows.label, rows.weights
            scorer = Scorer(plan.ours, objective, classes, label, weights, run.cluster)
        if binned and name == "train":
            bins = int(engine.parameters.get("max_bin", 256))
            matrix = matrices.quantile_matrix(rows, objective, bins, engine.threads)
        else:
            matrix = matrices.value_matrix(rows, objective, engine.threads)
        rows.blocks.clear()
        data.append(DataSet(name, matrix, scorer))
    return data


def _earlier_model(run: XGBoostRun) -> XGBoostModel | None:
    """The model of the model channel, if there is one.

    Raises:
        CallerError: it is not one model, or one of another objective, or it is needed and missing.
    """
    if run.initial_model is None:
        if run.params.process_type == "update":
            raise CallerError.of("process_type", "update needs a model in the channel model")
        return None
    boosters = read_boosters(run.initial_model)
    if len(boosters) != 1:
        raise CallerError.of("channel model", "must hold one model", f"{len(boosters)} models")
    theirs = XGBoostModel(boosters, run.params)
    if objectives.kind(theirs.objective) != objectives.kind(run.params.objective):
        raise CallerError.of(
            "objective", f"must suit the model's, {theirs.objective}", run.params.objective
        )
    if run.params.num_class not in {None, theirs.num_class}:
        raise CallerError.of(
            "num_class", f"is {theirs.num_class} in the model", run.params.num_class
        )
    run.resolved(num_class=theirs.num_class)
    return theirs


def _count_classes(run: XGBoostRun, rows: Rows) -> int:
    """One more than the greatest label, two at least; wrong labels are told of later."""
    label = rows.label
    greatest = np.array([np.nanmax(label[np.isfinite(label)], initial=1)])
    return int(max(part[0] for part in run.cluster.gather(greatest))) + 1


def _need_two_classes(run: XGBoostRun, rows: Rows) -> None:
    """Classifiers cannot learn from one class, and an area under a curve needs two."""
    params, metrics = run.params, {*plan_for(run.params).engine}
    learns = rows.channel == "train" and objectives.kind(params.objective) in {
        "binary",
        "multiclass",
    }
    if not learns and not (metrics & _TWO_CLASS_METRICS and params.objective.startswith("binary:")):
        return
    label = rows.label
    ends = np.array([[label.min(initial=np.inf), label.max(initial=-np.inf)]])
    low, high = np.concatenate(run.cluster.gather(ends)).T
    if low.min() == high.max():
        raise CallerError.of(
            f"channel {rows.channel}",
            "must have labels of two classes at least; every row has the same",
            f"{low.min():g}",
        )


def _check_constraints(params: XGBoostHyperparameters, width: int) -> None:
    monotone = params.monotone_constraints or ()
    if len(monotone) > width:
        raise CallerError.of(
            "monotone_constraints", f"must have one number for each of {width} features", monotone
        )
    highest = max(
        (one for group in params.interaction_constraints or () for one in group), default=0
    )
    if highest >= width:
        raise CallerError.of(
            "interaction_constraints", f"features are 0 to {width - 1} here", highest
        )
