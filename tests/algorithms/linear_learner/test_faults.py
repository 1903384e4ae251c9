"""What the user can mend is said in one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters
from clary.codecs.batch import Batch
from clary.errors import CallerError
from tests.algorithms.linear_learner.training import halves, rows, trained

BINARY, REGRESSOR = "binary_classifier", "regressor"
MULTICLASS, MULTILABEL = "multiclass_classifier", "multilabel_classifier"
QUICK = {"num_models": 1, "epochs": 1}


def relabelled(kind: str, row: int, label: float) -> Batch:
    batch = rows(kind)
    labels = batch.labels().copy()
    labels[row] = label
    return Batch(batch.features, labels)


@pytest.mark.parametrize(
    ("kind", "label", "sentence"),
    [
        (BINARY, 2, "row 8, label: must be 0 or 1 for a binary_classifier, got 2"),
        (BINARY, 0.5, "row 8, label: must be 0 or 1 for a binary_classifier, got 0.5"),
        (BINARY, -1, "row 8, label: must be 0 or 1"),
        (BINARY, np.nan, "row 8, label: must be 0 or 1"),
        (MULTICLASS, 3, "must be a whole number from 0 to 2 for num_classes 3.*start at 0"),
        (MULTICLASS, 1.5, "row 8, label: must be a whole number"),
        (MULTICLASS, -1, "row 8, label: must be a whole number"),
        (REGRESSOR, np.inf, "row 8, label: must be a finite number"),
    ],
)
def test_a_label_that_the_predictor_does_not_take(kind: str, label: float, sentence: str) -> None:
    params = {"predictor_type": kind, **QUICK}
    if kind == MULTICLASS:
        params["num_classes"] = 3
    with pytest.raises(CallerError, match=f"channel train, {sentence}|{sentence}"):
        trained(params, relabelled(kind, 7, label))
    with pytest.raises(CallerError, match="channel validation"):
        trained(params, rows(kind), relabelled(kind, 7, label))


def test_a_label_far_behind_the_sample_is_refused_too() -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 30_000).astype(np.float32)
    labels[29_998] = 7
    batch = Batch(draw.normal(size=(30_000, 2)).astype(np.float32), labels)
    params = {"predictor_type": BINARY, **QUICK, "num_calibration_samples": 100}
    with pytest.raises(CallerError, match="row 29999, label: must be 0 or 1"):
        trained(params, batch)


@pytest.mark.parametrize(("kind", "label"), [(BINARY, 0), (BINARY, 1), (MULTICLASS, 2)])
def test_one_class_only(kind: str, label: float) -> None:
    features = rows(kind).features
    batch = Batch(features, np.full(len(features), label, np.float32))
    with pytest.raises(
        CallerError, match=f"two classes at least; every row has the same, got '{label}'"
    ):
        trained({"predictor_type": kind, **QUICK}, batch)


def test_two_classes_for_a_multiclass_classifier() -> None:
    with pytest.raises(CallerError, match=r"needs 3 classes at least.*binary_classifier"):
        trained({"predictor_type": MULTICLASS, **QUICK}, rows(BINARY))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_feature_that_is_no_finite_number(value: float, sparse: bool) -> None:
    batch = rows(BINARY)
    features = batch.dense().copy()
    features[3, 4] = value
    spoiled = Batch(csr_array(features) if sparse else features, batch.label)
    with pytest.raises(CallerError, match="train, row 4, feature 5: must be a finite number"):
        trained({"predictor_type": BINARY, **QUICK}, spoiled)


def test_rows_of_another_width() -> None:
    train, validation = halves(BINARY)
    narrow = Batch(np.ascontiguousarray(validation.dense()[:, 1:]), validation.label)
    with pytest.raises(CallerError, match="channel validation: every row must have 30 features"):
        trained({"predictor_type": BINARY, **QUICK}, train, narrow)
    with pytest.raises(CallerError, match="channel train: every row must have 7 features"):
        trained({"predictor_type": BINARY, **QUICK, "feature_dim": 7}, train)


def test_several_labels_where_one_is_wanted_and_the_reverse() -> None:
    one = rows(BINARY)
    several = Batch(one.features, np.column_stack([one.labels(), one.labels()]))
    with pytest.raises(CallerError, match=r"one label a row.*multilabel_classifier"):
        trained({"predictor_type": BINARY, **QUICK}, several)
    with pytest.raises(CallerError, match=r"takes several labels a row.*label_size"):
        trained({"predictor_type": MULTILABEL, **QUICK}, one)


def test_rows_without_label() -> None:
    with pytest.raises(CallerError, match="label"):
        trained({"predictor_type": BINARY, **QUICK}, Batch(rows(BINARY).features))


def test_every_model_diverging() -> None:
    params: dict[str, Any] = {"learning_rate": 1e30, "optimizer": "sgd", "normalize_data": False}
    with pytest.raises(CallerError, match=r"learning_rate: all models diverged.*smaller"):
        trained({"predictor_type": REGRESSOR, **QUICK, **params}, rows(REGRESSOR))


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"loss": "squared_loss"}, "loss: a binary_classifier takes auto, logistic, hinge_loss"),
        (
            {"target_recall": 1},
            "target_recall: must be .*less than 1|target_recall: must be below 1",
        ),
        ({"wd": -1}, "wd: must be at least 0"),
        ({"mini_batch_sise": 5}, "mini_batch_size"),
        ({"positive_example_weight_mult": "balance"}, "positive_example_weight_mult: must be"),
    ],
)
def test_hyperparameters_beyond_their_limits(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CallerError, match=sentence):
        LinearLearnerHyperparameters.parse({"predictor_type": BINARY, **params})


def test_a_model_of_another_shape_cannot_be_gone_on_from(tmp_path: Any) -> None:
    model, _ = trained({"predictor_type": REGRESSOR, **QUICK}, rows(REGRESSOR))
    model.save(tmp_path)
    with pytest.raises(CallerError, match="channel model: its model must have 1 outputs and 30"):
        trained({"predictor_type": BINARY, **QUICK}, rows(BINARY), initial_model=tmp_path)


def test_weights_below_0_and_none_above() -> None:
    batch = rows(BINARY)
    for weight, sentence in (
        (-1.0, "row 1, weight: must be a finite"),
        (0.0, "one at least"),
    ):
        weights = np.full(batch.rows, weight, np.float32)
        with pytest.raises(CallerError, match=sentence):
            trained(
                {"predictor_type": BINARY, **QUICK}, Batch(batch.features, batch.label, weights)
            )
