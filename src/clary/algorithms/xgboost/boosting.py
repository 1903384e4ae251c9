"""The rounds of boosting: a tree (or several), the metrics, the log line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import xgboost

from clary.algorithms.xgboost.metrics import Plan, Scorer, is_maximized
from clary.algorithms.xgboost.spec import XGBoostHyperparameters

# Metrics by data set and name
Scores: TypeAlias = Mapping[str, Mapping[str, float]]

# CloudWatch shows a tab so, and SageMaker's regular expressions look for it
_TAB = "#011"
_SCORE = re.compile(r"\t(train|validation)-(\S+?):(\S+)")


@dataclass(frozen=True)
class DataSet:
    """Rows to be scored each round; `scorer` computes the metrics that the engine has not."""

    name: str
    matrix: xgboost.DMatrix
    scorer: Scorer | None = None


def rounds(
    booster: xgboost.Booster, data: Sequence[DataSet], plan: Plan, first: int, last: int
) -> Iterator[tuple[int, Scores]]:
    """Boost on the first data set for rounds `first` to `last` (exclusive), scoring all of them."""
    for round_ in range(first, last):
        booster.update(data[0].matrix, round_)
        yield round_, scored(booster, round_, data, plan)


def scored(booster: xgboost.Booster, round_: int, data: Sequence[DataSet], plan: Plan) -> Scores:
    """The metrics of each data set."""
    found: dict[str, dict[str, float]] = {one.name: {} for one in data}
    told = booster.eval_set([(one.matrix, one.name) for one in data], round_)
    for name, metric, value in _SCORE.findall(told):
        found[name][plan.name(metric, len(found[name]))] = float(value)
    for one in data:
        if one.scorer:
            predictions = booster.predict(one.matrix)
            # Some versions of the library answer no rows with a matrix
            rows = predictions if len(predictions) else predictions.reshape(-1)
            found[one.name] |= one.scorer.scores(rows)
    return {name: plan.ordered(scores) for name, scores in found.items()}


def log_line(round_: int, scores: Scores) -> str:
    """`[0]#011train-rmse:0.25000#011validation-rmse:0.50000`."""
    values = [
        f"{_TAB}{channel}-{name}:{value:.5f}"
        for channel, found in scores.items()
        for name, value in found.items()
    ]
    return f"[{round_}]{''.join(values)}"


class Watch:
    """Early stopping on one metric of validation, and the model of the best round.

    The best model is cut out of the last where later rounds only add trees. Rounds of dart,
    gblinear and process_type update change what is there, so of those it is kept as bytes.
    """

    def __init__(self, metric: str, patience: int, params: XGBoostHyperparameters) -> None:
        self.metric = metric
        self.patience = patience
        self.best_round = -1
        self.best_score = np.nan
        self.best_model = b""
        self._cuts = params.booster == "gbtree" and params.process_type == "default"

    def see(self, round_: int, scores: Scores, booster: xgboost.Booster) -> bool:
        """Take note of a round; whether it is the last to be made."""
        self.metric = self.metric or list(scores["validation"])[-1]
        score = scores["validation"][self.metric]
        if self.best_round < 0 or self._is_better(score):
            self.best_round, self.best_score = round_, score
            if not self._cuts:
                self.best_model = bytes(booster.save_raw("ubj"))
        return round_ - self.best_round >= self.patience

    def best(self, booster: xgboost.Booster, rounds_before: int) -> xgboost.Booster:
        """The best model; the booster has `rounds_before` rounds of an earlier training."""
        if self.best_round < 0:
            return booster
        at = rounds_before + self.best_round
        if self._cuts:
            booster = booster[: at + 1]
        else:
            booster = xgboost.Booster(model_file=bytearray(self.best_model))
        booster.set_attr(best_iteration=str(at), best_score=str(self.best_score))
        return booster

    def _is_better(self, score: float) -> bool:
        if is_maximized(self.metric):
            return score > self.best_score
        return score < self.best_score


def watch_for(params: XGBoostHyperparameters, plan: Plan) -> Watch | None:
    """What early stopping looks at, if it is wanted."""
    if params.early_stopping_rounds is None:
        return None
    return Watch(plan.watched, params.early_stopping_rounds, params)
