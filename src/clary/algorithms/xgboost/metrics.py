"""Metrics: which are evaluated, by whom, and those that SageMaker's image computes itself.

The engine has most of them. The image adds those that count right and wrong classes, mse and r2;
here they are computed as scikit-learn does, from the predictions after the link function: a
probability above 0.5 means class 1. Rows count by their weights, as in the engine's metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.xgboost import objectives
from clary.algorithms.xgboost.spec import CLASS_METRICS, XGBoostHyperparameters
from clary.codecs.batch import Floats
from clary.errors import CallerError, Fault
from clary.kit.cluster import Cluster

Numbers: TypeAlias = npt.NDArray[np.float64]

_SQUARES = frozenset({"mse", "r2"})
# The engine takes the margins of binary:logitraw for probabilities
_OF_MARGINS = frozenset({"error", "logloss"})
# Of their own accord the engine computes these from margins, and without the distribution's scale
_DEFAULTS = {"binary:logitraw": "logloss", "survival:aft": "aft-nloglik"}
# SageMaker's image puts these after the engine's on a line
_LAST = CLASS_METRICS | {"mse", "r2", "rmse", "mae"}


@dataclass(frozen=True)
class Plan:
    """What is evaluated each round.

    engine: metrics as the engine wants them written, by what we call them; if there are none, and
    none of ours, the engine evaluates the objective's own.
    ours: metrics computed here.
    given: both, in the order they were asked for.
    watched: the metric that early stopping looks at; empty means the last there is.
    """

    engine: Mapping[str, str]
    ours: tuple[str, ...]
    given: tuple[str, ...]
    watched: str

    def parameters(self) -> dict[str, Any]:
        """The engine's parameters that ask for this."""
        if self.engine or not self.ours:
            return {"eval_metric": list(self.engine.values())} if self.engine else {}
        return {"disable_default_eval_metric": True}

    def name(self, engine_name: str, place: int) -> str:
        """What we call the engine's metric at a place of a data set's scores.

        By default it cuts rankings at 32 and says so, where SageMaker's regular expressions want
        the plain name; a Tweedie metric has its power.
        """
        return list(self.engine)[place] if self.engine else engine_name.partition("@")[0]

    def ordered(self, scores: Mapping[str, float]) -> dict[str, float]:
        """The scores of one data set in the order of SageMaker's log lines."""
        names = [name for name in self.given or scores if name in scores]
        return {name: scores[name] for name in sorted(names, key=lambda name: name in _LAST)}

    def declared(self, scores: Mapping[str, float]) -> dict[str, float]:
        """The scores by the names that metrics are declared with.

        `ndcg@5` counts as ndcg where no other ndcg is evaluated.
        """
        stems = [name.partition("@")[0] for name in scores]
        return {
            stem: value
            for (name, value), stem in zip(scores.items(), stems, strict=True)
            if name == stem or stems.count(stem) == 1
        }


def plan_for(params: XGBoostHyperparameters) -> Plan:
    """The metrics that eval_metric and automatic tuning ask for."""
    given = list(dict.fromkeys(params.eval_metric or ()))
    watched = given[-1] if given else ""
    if params.internal_tuning_objective_metric:
        watched = params.internal_tuning_objective_metric.removeprefix("validation:")
        given = sorted({*given, watched})
    if not given and params.objective in _DEFAULTS:
        given = [_DEFAULTS[params.objective]]
    ours = tuple(name for name in given if _is_ours(name, params.objective))
    rho = f"@{params.tweedie_variance_power:g}"
    engine = {n: n + rho * (n == "tweedie-nloglik") for n in given if n not in ours}
    return Plan(engine, ours, tuple(given), watched)


def is_maximized(name: str) -> bool:
    """Whether more is better. It is so for interval-regression-accuracy, whatever is declared."""
    stem = name.partition("@")[0]
    more = {"auc", "aucpr", "map", "ndcg", "r2", "interval-regression-accuracy"}
    return stem in more or stem in CLASS_METRICS


def _is_ours(name: str, objective: str) -> bool:
    of_margins = name in _OF_MARGINS and objective == "binary:logitraw"
    return name in CLASS_METRICS or name in _SQUARES or of_margins


class Scorer:
    """Our metrics of one data set, over all hosts.

    Raises:
        CallerError: the labels are not what the metrics are about.
    """

    def __init__(
        self,
        names: Sequence[str],
        objective: str,
        num_class: int | None,
        label: Floats,
        weights: Floats | None,
        cluster: Cluster,
    ) -> None:
        if label.ndim > 1 or (CLASS_METRICS & {*names} and np.any(label != np.floor(label))):
            rule = f"must be one whole number a row for {', '.join(names)}"
            raise CallerError(Fault("label", rule))
        self._names = names
        self._objective = objective
        self._classes = num_class or 2
        self._label = label.astype(np.float64)
        self._weights = np.ones(len(label)) if weights is None else weights.astype(np.float64)
        self._cluster = cluster
        total, first = self._summed([self._weights.sum(), self._weights @ self._label])
        self._total = float(total)
        (self._spread,) = self._summed([self._weights @ (self._label - first / total) ** 2])

    def scores(self, predictions: Floats) -> dict[str, float]:
        """The metrics of predictions of shape (rows,) or (rows, classes)."""
        found: dict[str, float] = {}
        if any(name in CLASS_METRICS for name in self._names):
            predicted = classes(self._objective, predictions)
            found |= counted(self._confusion(predicted))
        if any(name in _SQUARES for name in self._names):
            (squares,) = self._summed([self._weights @ (predictions - self._label) ** 2])
            found |= {"mse": squares / self._total, "r2": _explained(squares, self._spread)}
        if any(name in _OF_MARGINS for name in self._names):
            found |= self._of_margins(predictions.astype(np.float64))
        return {name: float(found[name]) for name in self._names}

    def _confusion(self, predicted: npt.NDArray[np.int64]) -> Numbers:
        """(classes, classes): weight of the rows of each class (row) told as each (column)."""
        size = self._classes
        cells = self._label.astype(np.int64) * size + predicted
        counts = np.bincount(cells, self._weights, minlength=size * size)
        return self._cluster.all_reduce(counts.astype(np.float64)).reshape(size, size)

    def _of_margins(self, margins: Numbers) -> dict[str, float]:
        towards = np.where(self._label == 1, margins, -margins)
        wrong = (margins > 0) != (self._label == 1)
        loss, errors = self._summed(
            [self._weights @ np.logaddexp(0, -towards), self._weights @ wrong]
        )
        return {"logloss": loss / self._total, "error": errors / self._total}

    def _summed(self, values: Sequence[Any]) -> Numbers:
        return self._cluster.all_reduce(np.asarray(values, dtype=np.float64))


def classes(objective: str, predictions: Floats) -> npt.NDArray[np.int64]:
    """The predicted class of each row, from predictions of shape (rows,) or (rows, classes)."""
    if predictions.ndim == 2:
        return np.asarray(np.argmax(predictions, axis=1))
    if objectives.kind(objective) == "multiclass":
        return predictions.astype(np.int64)
    threshold = 0 if objective == "binary:logitraw" else 0.5
    return (predictions > threshold).astype(np.int64)


def counted(confusion: Numbers) -> dict[str, float]:
    """The metrics of a confusion matrix of true (rows) and predicted (columns) classes.

    As in scikit-learn, a mean over classes is over those that occur, and 0 / 0 is 0; the balanced
    accuracy is over those that occur among the true ones.
    """
    right, true, told = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    recall, precision = _ratio(right, true), _ratio(right, told)
    f1 = _ratio(2 * right, true + told)
    occurring = (true + told) > 0
    accuracy = float(right.sum() / confusion.sum())
    return {
        "accuracy": accuracy,
        "balanced_accuracy": float(recall[true > 0].mean()),
        "f1": float(f1[occurring].mean()),
        "f1_macro": float(f1[occurring].mean()),
        "f1_binary": float(f1[1]),
        "precision": float(precision[1]),
        "precision_macro": float(precision[occurring].mean()),
        "precision_micro": accuracy,
        "recall": float(recall[1]),
        "recall_macro": float(recall[occurring].mean()),
        "recall_micro": accuracy,
    }


def _ratio(part: Numbers, whole: Numbers) -> Numbers:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def _explained(squares: float, spread: float) -> float:
    """The share of the spread that is explained; as in scikit-learn, a flat label's is 1 or 0."""
    if spread == 0:
        return float(squares == 0)
    return 1 - squares / spread
