"""Labels that an objective cannot have, and other rows that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from clary.codecs.batch import Batch
from clary.errors import CallerError
from tests.algorithms.xgboost.training import rows, trained

WRONG = [
    ("binary:logistic", 2, "must be a whole number from 0 to 1 for binary:logistic, got 2.0"),
    ("binary:logistic", 0.5, "must be a whole number from 0 to 1"),
    ("binary:hinge", -1, "must be a whole number from 0 to 1"),
    ("reg:logistic", 1.5, "must be a finite number from 0 to 1"),
    ("multi:softmax", 3, "must be a whole number from 0 to 2"),
    ("multi:softmax", 0.5, "must be a whole number from 0 to 2"),
    ("multi:softprob", -1, "must be a whole number from 0 to 2"),
    ("count:poisson", -1, "must be a finite number of at least 0"),
    ("reg:tweedie", -0.5, "must be a finite number of at least 0"),
    ("reg:gamma", 0, "must be a finite number above 0"),
    ("reg:squaredlogerror", -1, "must be a finite number above -1"),
    ("reg:squarederror", np.nan, "must be a finite number for reg:squarederror"),
    ("reg:squarederror", np.inf, "must be a finite number for reg:squarederror"),
    ("rank:ndcg", 32, "must be a whole number from 0 to 31"),
    ("rank:map", 2, "must be a whole number from 0 to 1"),
    ("survival:cox", np.nan, "must be a finite number"),
]


@pytest.mark.parametrize(("objective", "wrong", "words"), WRONG)
def test_a_label_that_the_objective_does_not_allow_is_named_with_its_row(
    objective: str, wrong: float, words: str
) -> None:
    features = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    label = np.ones(50, dtype=np.float32)
    label[::3] = 0 if objective != "reg:gamma" else 2
    label[41] = wrong
    params = {"num_round": 1, "objective": objective}
    if objective.startswith("multi"):
        params["num_class"] = 3
    with pytest.raises(CallerError, match=f"channel train, row 42, label: {words}"):
        trained(params, Batch(features, label))


def test_a_wrong_label_of_validation_is_found_too() -> None:
    train, validation = rows("binary")
    wrong = replace(validation, label=validation.labels() + 1)
    with pytest.raises(CallerError, match=r"channel validation, row 10, label: must be"):
        trained({"num_round": 1, "objective": "binary:logistic"}, train, wrong)


@pytest.mark.parametrize("objective", ["binary:logistic", "binary:hinge", "multi:softmax"])
def test_one_class_is_too_few(objective: str) -> None:
    train, _ = rows("binary")
    one = replace(train, label=np.zeros(train.rows, dtype=np.float32))
    with pytest.raises(CallerError, match="two classes at least; every row has the same, got '0'"):
        trained({"num_round": 1, "objective": objective}, one)


def test_an_area_under_a_curve_needs_two_classes() -> None:
    train, validation = rows("binary")
    one = replace(validation, label=np.ones(validation.rows, dtype=np.float32))
    params = {"num_round": 1, "objective": "binary:logistic"}
    with pytest.raises(CallerError, match="channel validation: must have labels of two classes"):
        trained({**params, "eval_metric": "auc"}, train, one)
    trained(params, train, one)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": np.full((221, 10), np.inf, np.float32)}, "features: must be finite or miss"),
        ({"label": None}, "channel train: every row needs a label"),
        ({"label": np.zeros((221, 2), np.float32)}, "must have one label a row, got 2"),
    ],
    ids=["infinite", "unlabelled", "two labels"],
)
def test_rows_that_cannot_be_used_are_refused(change: dict[str, Any], words: str) -> None:
    train, _ = rows("regression")
    with pytest.raises(CallerError, match=words):
        trained({"num_round": 1}, replace(train, **change))


def test_no_rows_and_rows_of_other_widths_are_refused() -> None:
    train, validation = rows("regression")
    with pytest.raises(CallerError, match="channel train: holds no rows"):
        trained({"num_round": 1}, train.slice(0, 0))
    narrow = replace(validation, features=np.ascontiguousarray(validation.features[:, :9]))
    with pytest.raises(CallerError, match="channel validation: must have 10 features a row, got 9"):
        trained({"num_round": 1}, train, narrow)
