"""What users can mend is told: the thing, the rule, what was got."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from clary.algorithms.svm.spec import SVMHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError
from tests.algorithms.svm.training import BINARY, MULTI, NUMBER, batch_of, rows_of, trained


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"predictor_type": NUMBER, "loss": "hinge", "kernel": "linear"}, "a regressor takes"),
        ({"predictor_type": BINARY, "loss": "hinge"}, "belongs to kernel linear"),
        ({"predictor_type": BINARY, "penalty": "l1"}, "l1 needs a linear classifier"),
        ({"predictor_type": NUMBER, "probability": "true"}, "is for classifiers"),
        ({"predictor_type": NUMBER, "class_weight": "balanced"}, "is for classifiers"),
        (
            {"predictor_type": BINARY, "kernel": "linear", "kernel_approximation": "nystroem"},
            "nothing to approximate",
        ),
        ({"predictor_type": BINARY, "class_weight": "[1, 2]"}, "JSON text of names with numbers"),
        ({"predictor_type": BINARY, "class_weight": '{"1": -1}'}, "must be above 0"),
    ],
)
def test_hyperparameters_that_do_not_go_together_are_refused(
    told: dict[str, Any], words: str
) -> None:
    with pytest.raises(CallerError, match=words):
        SVMHyperparameters.parse(told)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(CallerError) as refused:
        SVMHyperparameters.parse({"C": "0", "kernel": "rbv", "gamma": "-1"})
    assert {fault.thing for fault in refused.value.faults} == {
        "predictor_type",
        "C",
        "kernel",
        "gamma",
    }


@pytest.mark.parametrize(
    ("labels", "predictor_type", "words"),
    [
        ([0, 1, 2], BINARY, "row 3, label: must be 0 or 1"),
        ([0, 1.5, 2], MULTI, "row 2, label: must be a whole number from 0 on"),
        ([0, -1, 2], MULTI, "row 2, label"),
        ([0, np.nan, 2], NUMBER, "row 2, label: must be a finite number"),
        ([0, 1, 1], MULTI, "num_classes: a multiclass_classifier needs 3 classes"),
        ([1, 2, 3], MULTI, "none of class 0"),
        ([1, 1, 1], BINARY, "none of class 0"),
        ([[0, 1], [1, 1], [0, 0]], BINARY, "must have one label a row"),
    ],
)
def test_labels_that_the_predictor_does_not_take_are_refused(
    labels: list[Any], predictor_type: str, words: str
) -> None:
    batch = Batch(rows_of(BINARY)[0][:3], np.array(labels, np.float32))
    with pytest.raises(CallerError, match=words):
        trained(batch, predictor_type=predictor_type)


def test_more_classes_than_announced_are_refused() -> None:
    with pytest.raises(CallerError, match="must be below num_classes 3"):
        trained(batch_of(MULTI), predictor_type=MULTI, num_classes=3)


def test_weights_of_classes_that_are_not_there_are_refused() -> None:
    for name in ("2", "spam", "0.5"):
        with pytest.raises(CallerError, match="must name classes from 0 to 1"):
            trained(batch_of(BINARY), predictor_type=BINARY, class_weight={name: 2})


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_features_that_are_not_finite_are_refused(sparse: bool) -> None:
    batch = batch_of(BINARY)
    features = batch.dense().copy()
    features[6, 3] = np.inf
    wrong = replace(batch, features=features)
    if sparse:
        wrong = replace(wrong, features=wrong.sparse())
    with pytest.raises(CallerError, match="row 7, feature 4: must be a finite number"):
        trained(wrong, predictor_type=BINARY)


def test_negative_weights_and_rows_without_any_are_refused() -> None:
    weights = np.ones(400, np.float32)
    weights[9] = -1
    with pytest.raises(CallerError, match="row 10, weight: must be a finite number of at least 0"):
        trained(batch_of(BINARY, weights=weights), predictor_type=BINARY)
    with pytest.raises(CallerError, match="weight above 0"):
        trained(batch_of(BINARY, weights=np.zeros(400, np.float32)), predictor_type=BINARY)


def test_a_test_row_of_a_class_that_the_model_does_not_know_is_refused() -> None:
    model = trained(batch_of(MULTI), predictor_type=MULTI)
    strange = Batch(rows_of(MULTI)[0][:2], np.array([0, 10], np.float32))
    with pytest.raises(CallerError, match="channel test, row 2, label"):
        model.evaluate(MemoryChannel("test", strange))


def test_a_test_channel_of_one_class_has_no_area_under_the_curve() -> None:
    features, labels = rows_of(BINARY)
    ones = Batch(features[labels == 1], labels[labels == 1])
    scores = trained(batch_of(BINARY), predictor_type=BINARY).evaluate(MemoryChannel("test", ones))
    assert np.isnan(scores["test:roc_auc_score"])
    assert scores["test:binary_classification_accuracy"] > 0.9


def test_a_wrong_feature_dim_is_refused() -> None:
    with pytest.raises(CallerError, match="must have 12 features"):
        trained(batch_of(BINARY), predictor_type=BINARY, feature_dim=12)
