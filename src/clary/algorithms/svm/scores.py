"""Scores of answers to labelled rows, under the linear learner's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Answers:
    """label, predicted: (rows,); score: (rows,), or (rows, classes) for several classes."""

    label: Array
    score: Array
    predicted: Array


def scores_of(predictor_type: str, answers: Answers) -> dict[str, float]:
    """Every score of the predictor, by name."""
    if predictor_type == "regressor":
        return _regression(answers)
    if predictor_type == "binary_classifier":
        return _binary(answers)
    return _multiclass(answers)


def _regression(answers: Answers) -> dict[str, float]:
    errors = answers.score.astype(np.float64) - answers.label
    squared = float(np.mean(np.square(errors)))
    return {"absolute_loss": float(np.abs(errors).mean()), "mse": squared, "rmse": squared**0.5}


def _binary(answers: Answers) -> dict[str, float]:
    precision, recall, f_beta, _ = precision_recall_fscore_support(
        answers.label, answers.predicted, labels=[1], average="binary", zero_division=0
    )
    both = len(np.unique(answers.label)) == 2
    return {
        "binary_classification_accuracy": _accuracy(answers),
        "binary_f_beta": float(f_beta),
        "precision": float(precision),
        "recall": float(recall),
        "roc_auc_score": float(roc_auc_score(answers.label, answers.score)) if both else np.nan,
    }


def _multiclass(answers: Answers) -> dict[str, float]:
    precision, recall, f_beta, _ = precision_recall_fscore_support(
        answers.label, answers.predicted, average="macro", zero_division=0
    )
    return {
        "multiclass_accuracy": _accuracy(answers),
        "macro_f_beta": float(f_beta),
        "macro_precision": float(precision),
        "macro_recall": float(recall),
    }


def _accuracy(answers: Answers) -> float:
    return float(np.mean(answers.label == answers.predicted))
