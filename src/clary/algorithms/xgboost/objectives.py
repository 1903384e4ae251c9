"""What each objective predicts, as the declaration, the metrics and the answers need to know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["regression", "binary", "multiclass", "ranking", "survival"]

# Every key of selectable inference
KEYS = (
    "predicted_label",
    "labels",
    "probability",
    "probabilities",
    "raw_score",
    "raw_scores",
    "predicted_score",
)
_SCORE_KEYS = ("predicted_score",)
_LABEL_KEYS = ("predicted_label", "labels", "raw_score", "raw_scores")
_CLASS_KEYS = KEYS[:-1]

# The keys that SageMaker's image fills for an objective; for those not here it has none
SELECTABLE: Mapping[str, tuple[str, ...]] = {
    "reg:squarederror": _SCORE_KEYS,
    "reg:logistic": _SCORE_KEYS,
    "reg:gamma": _SCORE_KEYS,
    "reg:absoluteerror": _SCORE_KEYS,
    "reg:tweedie": _SCORE_KEYS,
    "binary:logistic": _CLASS_KEYS,
    "binary:logitraw": _LABEL_KEYS,
    "binary:hinge": _LABEL_KEYS,
    "multi:softmax": _LABEL_KEYS,
    "multi:softprob": _CLASS_KEYS,
}

# Predictions are probabilities, so the intercept must be one too
LOGISTIC = frozenset({"binary:logistic", "binary:logitraw", "reg:logistic"})

_KINDS: Mapping[str, Kind] = {
    "binary": "binary",
    "multi": "multiclass",
    "rank": "ranking",
    "survival": "survival",
}


def kind(objective: str) -> Kind:
    """The kind of problem that an objective is for; unknown ones count as regression."""
    return _KINDS.get(objective.partition(":")[0], "regression")


def separates(objective: str) -> bool:
    """Whether its predictions tell classes apart, so that shares of right ones can be counted."""
    return kind(objective) in {"binary", "multiclass"} or objective == "reg:logistic"
