"""Wrong labels, weights and features are told with their row, counted over the whole channel."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_iris

from clary.codecs.batch import Batch, Floats
from clary.errors import CallerError
from clary.kit.finite import check_finite
from clary.kit.labels import check_labels, checked_labels, checked_weights, one_label

FEATURES, CLASSES = (part.astype(np.float32) for part in load_iris(return_X_y=True))
BINARY, MULTI, NUMBER = "binary_classifier", "multiclass_classifier", "regressor"


def spoiled(values: Floats, place: int | tuple[int, int], value: float) -> Floats:
    found = values.copy()
    found[place] = value
    return found


@pytest.mark.parametrize(
    ("predictor_type", "label", "classes", "said"),
    [
        (BINARY, CLASSES, None, "row 1101, label: must be 0 or 1 for a binary_classifier, got 2.0"),
        (
            MULTI,
            spoiled(CLASSES, 9, 0.5),
            None,
            "row 1010, label: must be a whole number from 0 on",
        ),
        (
            MULTI,
            CLASSES,
            2,
            r"from 0 to 1 for num_classes 2, got 2\.0\. Labels start at 0\. In CSV",
        ),
        (MULTI, spoiled(CLASSES, 9, np.nan), 3, "row 1010, label: must be .* got nan. In CSV"),
        (MULTI, spoiled(CLASSES, 9, np.inf), None, "row 1010, label: must be a whole number"),
        (NUMBER, spoiled(CLASSES, 149, -np.inf), None, "row 1150, label: must be a finite number"),
    ],
)
def test_the_first_label_that_a_predictor_does_not_take_is_named(
    predictor_type: str, label: Floats, classes: int | None, said: str
) -> None:
    with pytest.raises(CallerError, match=said):
        checked_labels(Batch(FEATURES, label), predictor_type, "test", 1000, classes)


def test_labels_that_a_predictor_takes_come_back_as_they_were() -> None:
    rows = Batch(FEATURES, CLASSES[:, None])
    assert checked_labels(rows, MULTI, "train", classes=3).tolist() == CLASSES.tolist()
    assert checked_labels(rows, NUMBER, "train").shape == (150,)
    assert len(checked_labels(rows.slice(0, 0), BINARY, "train")) == 0


def test_one_wrong_label_among_several_is_told_alone() -> None:
    several = np.column_stack([CLASSES > 0, CLASSES > 1]).astype(np.float32)
    check_labels(several, "multilabel_classifier", "train")
    with pytest.raises(CallerError, match=r"row 78, label: must be 0 or 1 .*, got 7\.0"):
        check_labels(spoiled(several, (77, 1), 7), "multilabel_classifier", "train")


def test_rows_without_label_and_with_several_are_refused() -> None:
    with pytest.raises(CallerError, match="channel train: every row needs a label"):
        one_label(Batch(FEATURES), "train")
    several = Batch(FEATURES, np.column_stack([CLASSES, CLASSES]))
    with pytest.raises(CallerError, match=r"train: must have one label a row, got 2\. Leave one"):
        one_label(several, "train", "Leave one.")


@pytest.mark.parametrize("wrong", [-0.5, np.nan, np.inf])
def test_the_first_weight_that_is_none_is_named(wrong: float) -> None:
    weights = np.zeros(150, np.float32)
    assert checked_weights(Batch(FEATURES, weights=weights), "train") is weights
    assert checked_weights(Batch(FEATURES), "train") is None
    rows = Batch(FEATURES, weights=spoiled(weights, 3, wrong))
    with pytest.raises(CallerError, match="train, row 14, weight: must be a finite number of at"):
        checked_weights(rows, "train", 10)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_the_first_feature_that_is_no_number_is_named(wrong: float, sparse: bool) -> None:
    form = csr_array if sparse else np.asarray
    check_finite(form(FEATURES), "train")
    features = spoiled(spoiled(FEATURES, (149, 0), wrong), (20, 2), wrong)
    with pytest.raises(CallerError, match=f"train, row 26, feature 3: must .*, got {wrong}"):
        check_finite(form(features), "train", 5)


def test_large_features_whose_sum_is_no_single_number_are_finite() -> None:
    check_finite(np.full((100, 4), np.finfo(np.float32).max, np.float32), "train")
