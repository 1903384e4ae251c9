"""Rows and labels that cannot be used, and what is said of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clary.codecs.batch import Batch
from clary.errors import CallerError
from tests.algorithms.factorization_machines.training import (
    BINARY,
    DIABETES,
    DIGITS,
    REGRESSOR,
    TUMORS,
    score,
    trained,
)


def labelled(label: Any) -> Batch:
    """The tumors with other labels."""
    return Batch(TUMORS.features, np.asarray(label, dtype=np.float32))


def changed(values: np.ndarray, place: Any, value: float) -> np.ndarray:
    found = values.copy()
    found[place] = value
    return found


LABEL = TUMORS.labels()
WEIGHTS = np.ones(TUMORS.rows, np.float32)
WRONG: dict[str, tuple[Batch, dict[str, Any], str]] = {
    "no label": (Batch(TUMORS.features), BINARY, "channel train: every row needs a label"),
    "two labels": (labelled(np.column_stack([LABEL, LABEL])), BINARY, "must have one label a row"),
    "a label of 2": (
        labelled(changed(LABEL, 299, 2)),
        BINARY,
        "train, row 300, label: must be 0 or 1 for a binary_classifier, got 2.0",
    ),
    "labels of -1 and 1": (labelled(2 * LABEL - 1), BINARY, "row 1, label: must be 0 or 1"),
    "a label that is no number": (
        labelled(changed(LABEL, 4, np.nan)),
        REGRESSOR,
        "row 5, label: must be a finite number",
    ),
    "one class": (labelled(0 * LABEL), BINARY, "needs rows of both classes.*got '?0"),
    "a feature without end": (
        Batch(changed(TUMORS.dense(), (6, 3), np.inf), LABEL),
        BINARY,
        "row 7, feature 4: must be a finite number",
    ),
    "negative weights": (
        Batch(TUMORS.features, LABEL, changed(WEIGHTS, 3, -1)),
        BINARY,
        "row 4, weight: must be a finite number of at least 0",
    ),
    "no weight at all": (
        Batch(TUMORS.features, LABEL, 0 * WEIGHTS),
        BINARY,
        "weights: one at least must be above 0",
    ),
    "another width": (TUMORS, {**BINARY, "feature_dim": 31}, "31 features.*got 30"),
    "numbers without measure": (
        Batch(DIABETES.dense() * np.float32(1e18), DIABETES.label),
        REGRESSOR,
        "the loss must stay finite.*Lower the learning rates",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_rows_that_cannot_be_learned_from_are_refused(what: str) -> None:
    rows, hyperparameters, said = WRONG[what]
    with pytest.raises(CallerError, match=said):
        trained(rows, hyperparameters)


def test_a_models_test_rows_are_checked_as_those_of_train() -> None:
    model = trained(TUMORS, BINARY)
    with pytest.raises(CallerError, match="channel test, row 300, label: must be 0 or 1"):
        score(model, WRONG["a label of 2"][0])
    with pytest.raises(CallerError, match=r"channel test.*30 features.*got 1024"):
        score(model, DIGITS)
    with pytest.raises(CallerError, match="the model takes 30 a row, got 1024"):
        model.predict(DIGITS)
