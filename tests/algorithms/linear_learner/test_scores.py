"""Scores of held-out rows equal scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from clary.algorithms.linear_learner.scores import (
    Answers,
    area_under_roc,
    binary_scores,
    multiclass_scores,
    multilabel_scores,
    regression_scores,
)

RNG = np.random.default_rng(0)


def in_parts(label: np.ndarray, score: np.ndarray, predicted: np.ndarray) -> list[Answers]:
    """The answers in three batches."""
    return [
        Answers(
            label[part].astype(np.float32), score[part].astype(np.float32), predicted[part], 0, 1
        )
        for part in np.array_split(np.arange(len(label)), 3)
    ]


def test_binary_scores() -> None:
    label = RNG.integers(0, 2, 200)
    score = np.round(0.3 * label + RNG.uniform(size=200), 1)  # rounded, so that there are equals
    predicted = (score > 0.6).astype(np.int64)
    found = binary_scores(in_parts(label, score, predicted), beta=0.5)
    assert found == pytest.approx(
        {
            "binary_classification_accuracy": metrics.accuracy_score(label, predicted),
            "binary_f_beta": metrics.fbeta_score(label, predicted, beta=0.5),
            "precision": metrics.precision_score(label, predicted),
            "recall": metrics.recall_score(label, predicted),
            "roc_auc_score": metrics.roc_auc_score(label, score),
        }
    )


def test_multiclass_scores() -> None:
    label = RNG.integers(0, 5, 300)
    score = RNG.uniform(size=(300, 5)) + 0.5 * np.eye(5)[label]
    predicted = score.argmax(axis=1)
    found = multiclass_scores(in_parts(label, score, predicted), 5, beta=2.0, top_k=2)
    assert found == pytest.approx(
        {
            "multiclass_accuracy": metrics.accuracy_score(label, predicted),
            "multiclass_top_k_accuracy": metrics.top_k_accuracy_score(label, score, k=2),
            "dcg": metrics.dcg_score(np.eye(5)[label], score),
            "macro_precision": metrics.precision_score(label, predicted, average="macro"),
            "macro_recall": metrics.recall_score(label, predicted, average="macro"),
            "macro_f_beta": metrics.fbeta_score(label, predicted, beta=2.0, average="macro"),
        }
    )


def test_equal_scores_share_the_gain_of_their_places() -> None:
    label, score = np.array([0, 1, 2]), np.full((3, 4), 0.25)
    found = multiclass_scores(in_parts(label, score, label), 4, beta=1.0, top_k=4)
    assert found["dcg"] == pytest.approx(metrics.dcg_score(np.eye(4)[label], score))
    assert found["multiclass_top_k_accuracy"] == 1


def test_multilabel_scores() -> None:
    label, predicted = RNG.integers(0, 2, (100, 3)), RNG.integers(0, 2, (100, 3))
    found = multilabel_scores(in_parts(label, predicted, predicted), 3, beta=1.0)
    assert found == pytest.approx(
        {
            "multilabel_accuracy": 1 - metrics.hamming_loss(label, predicted),
            "macro_precision": metrics.precision_score(label, predicted, average="macro"),
            "macro_recall": metrics.recall_score(label, predicted, average="macro"),
            "macro_f_beta": metrics.f1_score(label, predicted, average="macro"),
        }
    )


def test_regression_scores() -> None:
    label, score = RNG.normal(size=50), RNG.normal(size=50)
    found = regression_scores(in_parts(label, score, np.zeros(50, np.int64)))
    assert found == pytest.approx(
        {
            "absolute_loss": metrics.mean_absolute_error(label, score),
            "mse": metrics.mean_squared_error(label, score),
            "rmse": metrics.root_mean_squared_error(label, score),
        },
        rel=1e-5,  # single precision of the answers
    )


def test_the_area_of_one_class_is_not_a_number() -> None:
    assert np.isnan(area_under_roc(np.ones(3, np.float32), np.ones(3, dtype=bool)))
