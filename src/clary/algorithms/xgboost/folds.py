"""Cross-validation: _kfold models, each trained without one part of train and validation together.

Every row is predicted by the model that has not seen it, once for each of _num_cv_round repeats;
`predictions.csv` in the output folder tells what came out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost

from clary.algorithms.xgboost import objectives
from clary.algorithms.xgboost.boosting import DataSet, Scores, log_line, rounds, watch_for
from clary.algorithms.xgboost.engine import Engine
from clary.algorithms.xgboost.matrices import Rows, value_matrix
from clary.algorithms.xgboost.metrics import Plan, Scorer, classes, plan_for
from clary.algorithms.xgboost.spec import XGBoostHyperparameters
from clary.codecs.batch import Floats
from clary.errors import CallerError
from clary.kit.run import Run
from clary.storage.folder import whole_file

Indices = npt.NDArray[np.intp]

_PREDICTIONS = "predictions.csv"


def cross_validated(
    run: Run[XGBoostHyperparameters], engine: Engine, channels: Sequence[Rows]
) -> list[xgboost.Booster]:
    """The models of all folds, repeat after repeat.

    Raises:
        CallerError: there are several hosts, queries, or fewer rows than folds.
    """
    params, plan = run.params, plan_for(run.params)
    together = Rows("train", [b for rows in channels for b in rows.blocks], channels[0].width)
    folds, repeats = params.internal_kfold or 0, params.internal_num_cv_round
    if run.cluster.size > 1 or together.has_queries or together.count < folds:
        raise CallerError.of("_kfold", "needs one host, no qid and a row for each fold", folds)
    label, weights = together.label, together.weights
    matrix = value_matrix(together, params.objective, engine.threads)
    boosters, ends, told = [], [], []
    for number, (kept, left_out) in enumerate(_splits(label, params, repeats, run.rng)):
        run.log(f"fold {number % folds + 1} of {folds}, repeat {number // folds + 1} of {repeats}")
        parts = [
            DataSet(name, matrix.slice(rows), _scorer(run, plan, label, weights, rows))
            for name, rows in (("train", kept), ("validation", left_out))
        ]
        booster, end = _trained(run, engine, plan, parts)
        boosters.append(booster)
        ends.append(end)
        told.append((left_out, booster.predict(parts[1].matrix)))
        if run.stop:
            break
    _report(run, plan, ends)
    if run.output and not run.stop:
        _write_predictions(run.output, params.objective, label, told)
    return boosters


def _trained(
    run: Run[XGBoostHyperparameters], engine: Engine, plan: Plan, parts: list[DataSet]
) -> tuple[xgboost.Booster, Scores]:
    """The model of one fold and its last metrics."""
    watch = watch_for(run.params, plan)
    matrices = [part.matrix for part in parts]
    booster = xgboost.Booster({**engine.parameters, **plan.parameters()}, matrices)
    scores: Scores = {}
    for round_, scores in rounds(booster, parts, plan, 0, run.params.num_round):
        run.log(log_line(round_, scores))
        if (watch and watch.see(round_, scores, booster)) or run.stop:
            break
    return (watch.best(booster, 0) if watch else booster), scores


def _splits(
    label: Floats, params: XGBoostHyperparameters, repeats: int, rng: np.random.Generator
) -> Iterator[tuple[Indices, Indices]]:
    """Rows to train on and rows left out; each class is spread evenly over the folds."""
    folds = params.internal_kfold or 0
    strata = label if _classifies(params.objective) else np.zeros(len(label))
    for _ in range(repeats):
        order = rng.permutation(len(label))
        order = order[np.argsort(strata[order], kind="stable")]
        fold = np.empty(len(label), dtype=np.intp)
        fold[order] = np.arange(len(label)) % folds
        for number in range(folds):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def _scorer(
    run: Run[XGBoostHyperparameters],
    plan: Plan,
    label: Floats,
    weights: Floats | None,
    rows: Indices,
) -> Scorer | None:
    if not plan.ours:
        return None
    own = None if weights is None else weights[rows]
    return Scorer(
        plan.ours, run.params.objective, run.params.num_class, label[rows], own, run.cluster
    )


def _report(run: Run[XGBoostHyperparameters], plan: Plan, ends: list[Scores]) -> None:
    """The mean over all folds of each metric at its end."""
    means = {
        channel: {name: float(np.mean([end[channel][name] for end in ends])) for name in found}
        for channel, found in ends[0].items()
    }
    run.log(log_line(run.params.num_round, means))
    for channel, found in means.items():
        for name, value in plan.declared(found).items():
            run.report(f"{channel}:{name}", value)


def _write_predictions(
    folder: Path, objective: str, label: Floats, told: list[tuple[Indices, Floats]]
) -> None:
    """Rows of label, probability (for classifiers) and prediction, without a header.

    Over the repeats, numbers are averaged, and classes are those told most often. What stands for
    the probability is the predicted class's, or the prediction itself where it is one number.
    """
    count = np.zeros(len(label))
    total = np.zeros(len(label))
    votes = np.zeros((len(label), 1))
    for rows, predictions in told:
        count[rows] += 1
        total[rows] += predictions.max(axis=1) if predictions.ndim == 2 else predictions
        if _classifies(objective):
            found = classes(objective, predictions)
            more = max(0, int(found.max()) + 1 - votes.shape[1])
            votes = np.pad(votes, ((0, 0), (0, more)))
            votes[rows, found] += 1
    columns: list[npt.NDArray[Any]] = [label, total / count]
    if _classifies(objective):
        columns.append(votes.argmax(axis=1))
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / _PREDICTIONS) as stream:
        np.savetxt(stream, np.column_stack(columns), delimiter=",", fmt="%f")


def _classifies(objective: str) -> bool:
    return objectives.kind(objective) in {"binary", "multiclass"}
