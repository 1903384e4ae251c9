"""Every hyperparameter has its effect, and the effect is the right one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score, top_k_accuracy_score

from clary.algorithms.linear_learner.model import LinearLearnerModel
from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters
from clary.codecs.batch import Batch
from clary.errors import CallerError
from tests.algorithms.linear_learner.training import halves, rows, saved, trained

BINARY, REGRESSOR = "binary_classifier", "regressor"
MULTICLASS, MULTILABEL = "multiclass_classifier", "multilabel_classifier"
QUICK = {"num_models": 1, "epochs": 3, "learning_rate": 0.1, "wd": 0.0, "l1": 0.0}
HINGE = {"loss": "hinge_loss"}
# What each is set to beside its default, and what must be so for it to count
CHANGES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "accuracy_top_k": (MULTICLASS, {}, 1),
    "balance_multiclass_weights": (MULTICLASS, {}, True),
    "beta_1": (BINARY, {}, 0.5),
    "beta_2": (BINARY, {}, 0.9),
    "bias_lr_mult": (BINARY, {}, 10),
    "bias_wd_mult": (BINARY, {"wd": 0.1}, 1),
    "binary_classifier_model_selection_criteria": (
        BINARY,
        {"target_recall": 0.99},
        "precision_at_target_recall",
    ),
    "early_stopping_patience": (BINARY, {"epochs": 15, "early_stopping_tolerance": 0.5}, 5),
    "early_stopping_tolerance": (BINARY, {"epochs": 15, "learning_rate": 0.01}, 0.9),
    "epochs": (BINARY, {}, 4),
    "f_beta": (BINARY, {}, 2),
    "huber_delta": (REGRESSOR, {"loss": "huber_loss"}, 30),
    "init_bias": (BINARY, {}, 3),
    "init_method": (BINARY, {}, "normal"),
    "init_scale": (BINARY, {}, 1),
    "init_sigma": (BINARY, {"init_method": "normal"}, 1),
    "l1": (BINARY, {}, 0.05),
    "learning_rate": (BINARY, {}, 0.01),
    "loss": (BINARY, {}, "hinge_loss"),
    "loss_insensitivity": (REGRESSOR, {"loss": "eps_insensitive_absolute_loss"}, 50),
    "lr_scheduler_factor": (BINARY, {"lr_scheduler_step": 1}, 0.5),
    "lr_scheduler_minimum_lr": (BINARY, {"lr_scheduler_step": 1}, 0.09),
    "lr_scheduler_step": (BINARY, {"lr_scheduler_factor": 0.5}, 30),
    "margin": (BINARY, HINGE, 5),
    "mini_batch_size": (BINARY, {}, 50),
    "momentum": (BINARY, {"optimizer": "sgd"}, 0.0),
    "normalize_data": (BINARY, {}, False),
    "normalize_label": (REGRESSOR, {}, False),
    "num_calibration_samples": (BINARY, {"f_beta": 5}, 20),
    "num_models": (BINARY, {}, 3),
    "num_point_for_scaler": (BINARY, {}, 30),
    "optimizer": (BINARY, {}, "rmsprop"),
    "positive_example_weight_mult": (BINARY, {}, "balanced"),
    "quantile": (REGRESSOR, {"loss": "quantile_loss"}, 0.9),
    "target_precision": (
        BINARY,
        {"binary_classifier_model_selection_criteria": "recall_at_target_precision"},
        0.99,
    ),
    "target_recall": (
        BINARY,
        {"binary_classifier_model_selection_criteria": "precision_at_target_recall"},
        0.99,
    ),
    "unbias_data": (BINARY, {}, False),
    "unbias_label": (REGRESSOR, {}, False),
    "use_bias": (BINARY, {}, False),
    "use_lr_scheduler": (BINARY, {"lr_scheduler_step": 1}, False),
    "wd": (BINARY, {}, 0.1),
}
# These say what the data must be, or what is learned; their tests are below
SHAPES = {"num_classes", "predictor_type", "feature_dim"}


def outcome(kind: str, params: dict[str, Any], folder: Path) -> tuple[bytes, list[Any]]:
    """The artifact's bytes and all metrics but those of time."""
    train, validation = halves(kind)
    settled = {"predictor_type": kind, **QUICK, **params}
    model, heard = trained(settled, train, validation)
    told = [one for one in heard.metrics if "throughput" not in one[0]]
    return saved(model, folder), told


def test_the_list_of_changes_is_whole() -> None:
    assert set(CHANGES) | SHAPES == set(LinearLearnerHyperparameters.declared())


@pytest.mark.parametrize("name", CHANGES)
def test_every_hyperparameter_changes_the_model_or_what_is_reported(
    name: str, tmp_path: Path
) -> None:
    kind, rest, value = CHANGES[name]
    plain = {key: given for key, given in rest.items() if key != name}
    before = outcome(kind, plain, tmp_path / "before")
    assert before == outcome(kind, plain, tmp_path / "again")
    assert before != outcome(kind, {**plain, name: value}, tmp_path / "after")


def binary(**params: Any) -> LinearLearnerModel:
    train, validation = halves(BINARY)
    return trained({"predictor_type": BINARY, **QUICK, **params}, train, validation)[0]


def start(**params: Any) -> LinearLearnerModel:
    """A model that has hardly moved, on features and label as they are."""
    batch = Batch(np.eye(500, dtype=np.float32), np.arange(500, dtype=np.float32) % 2)
    still = {"normalize_data": False, "unbias_data": False, "learning_rate": 1e-9, "epochs": 1}
    return trained({"predictor_type": BINARY, **QUICK, **still, **params}, batch)[0]


def test_weights_start_as_the_init_hyperparameters_say() -> None:
    uniform = start(init_scale=0.5, init_bias=2).weights
    assert 0.45 < np.abs(uniform).max() <= 0.5
    assert uniform.std() == pytest.approx(0.5 / 3**0.5, rel=0.1)
    normal = start(init_method="normal", init_sigma=2.0)
    assert normal.weights.std() == pytest.approx(2, rel=0.1)
    assert start(init_bias=2).bias == pytest.approx(2, abs=1e-5)


def test_feature_dim_must_be_that_of_the_rows() -> None:
    assert binary(feature_dim=30).width == 30
    with pytest.raises(CallerError, match=r"must have 29 features .*got 30"):
        binary(feature_dim=29)


def test_num_classes_is_the_number_of_outputs() -> None:
    train = rows(MULTICLASS)
    params = {"predictor_type": MULTICLASS, **QUICK}
    assert trained(params, train)[0].outputs == 3
    wide = trained({**params, "num_classes": 5}, train)[0]
    assert wide.predict(train)["score"].shape == (train.rows, 5)


def test_l1_leaves_few_weights_and_wd_small_ones() -> None:
    free, sparse, small = binary(epochs=15), binary(epochs=15, l1=0.1), binary(epochs=15, wd=1.0)
    assert (free.weights != 0).all()
    assert (sparse.weights != 0).sum() <= 20
    scale = rows(BINARY).dense().std(axis=0)
    assert np.linalg.norm(small.weights * scale) < np.linalg.norm(free.weights * scale) / 3


def test_without_bias_there_is_none() -> None:
    assert binary(use_bias=False, unbias_data=False).bias == 0
    assert binary().bias != 0


def test_top_k_accuracy_is_that_of_k() -> None:
    train, validation = halves("digits")
    for k in (1, 2, 4):
        params = {"predictor_type": MULTICLASS, **QUICK, "accuracy_top_k": k}
        model, heard = trained(params, train, validation)
        expected = top_k_accuracy_score(validation.label, model.predict(validation)["score"], k=k)
        assert heard.values("validation:multiclass_top_k_accuracy") == [pytest.approx(expected)]
        assert any(f"multiclass_top_k_accuracy_{k} <score>" in line for line in heard.lines)


def unbalanced(kind: str, share: int) -> Batch:
    """Only one row in `share` of class 1 is left, and noise hides what is easy."""
    batch = rows(kind)
    noise = np.random.default_rng(0).normal(size=batch.dense().shape) * batch.dense().std(axis=0)
    kept = (batch.labels() != 1) | (np.arange(batch.rows) % share == 0)
    features = (batch.dense() + 2 * noise).astype(np.float32)[kept]
    return Batch(features, batch.labels()[kept])


def test_balanced_classes_find_more_of_the_rare_one() -> None:
    batch = unbalanced(MULTICLASS, 6)
    found = []
    for balance in (False, True):
        params = {
            "predictor_type": MULTICLASS,
            **QUICK,
            "epochs": 15,
            "balance_multiclass_weights": balance,
        }
        labels = trained(params, batch)[0].predict(batch)["predicted_label"]
        found.append(recall_score(batch.label, labels, average=None)[1])
    assert found[1] > found[0] + 0.1


def test_a_heavier_label_1_is_found_more_often() -> None:
    batch = unbalanced(BINARY, 6)
    by_loss = {"binary_classifier_model_selection_criteria": "loss_function", "epochs": 15}
    found = {}
    for weight in (0.2, 1.0, 5.0, "balanced", "auto"):
        params = {
            "predictor_type": BINARY,
            **QUICK,
            **by_loss,
            "positive_example_weight_mult": weight,
        }
        model, _ = trained(params, batch)
        found[weight] = recall_score(batch.label, model.predict(batch)["predicted_label"])
        if weight == "balanced":
            labels = batch.labels()
            expected = float((labels == 0).sum() / (labels == 1).sum())
            assert model.params.positive_example_weight_mult == pytest.approx(expected)
    assert found[0.2] < found[1.0] < found[5.0]
    assert found["balanced"] > found[1.0]


def test_auto_tries_several_weights_of_label_1_and_says_which_it_took() -> None:
    batch = unbalanced(BINARY, 6)
    params = {
        "predictor_type": BINARY,
        **QUICK,
        "num_models": 6,
        "positive_example_weight_mult": "auto",
        "binary_classifier_model_selection_criteria": "f_beta",
    }
    model, heard = trained(params, batch)
    taken = model.params.positive_example_weight_mult
    assert isinstance(taken, float)
    assert f'"positive_example_weight_mult": {json.dumps(taken)}' in "".join(heard.lines)


@pytest.mark.parametrize(
    ("criterion", "target", "score"),
    [
        ("precision_at_target_recall", {"target_recall": 0.97}, recall_score),
        ("recall_at_target_precision", {"target_precision": 0.97}, precision_score),
    ],
)
def test_targets_hold_on_the_rows_that_calibrate(
    criterion: str, target: dict[str, float], score: Any
) -> None:
    _, validation = halves(BINARY)
    model = binary(binary_classifier_model_selection_criteria=criterion, **target)
    assert score(validation.label, model.predict(validation)["predicted_label"]) >= 0.97


def test_a_larger_beta_finds_more() -> None:
    _, validation = halves(BINARY)
    found = [
        recall_score(
            validation.label,
            binary(binary_classifier_model_selection_criteria="f_beta", f_beta=beta).predict(
                validation
            )["predicted_label"],
        )
        for beta in (0.1, 10)
    ]
    assert found[0] < found[1]


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_labels_lie_below_the_predicted_quantile_that_often(quantile: float) -> None:
    batch = rows(REGRESSOR)
    params = {"predictor_type": REGRESSOR, "loss": "quantile_loss", "quantile": quantile}
    score = trained({**params, "num_models": 4, "epochs": 40}, batch)[0].predict(batch)["score"]
    # Of 442 rows, with 11 weights fitted to them
    assert np.mean(batch.label <= score) == pytest.approx(quantile, abs=0.03)


def test_models_are_as_many_as_said_and_one_when_tuned() -> None:
    train, validation = halves(BINARY)
    for given, tuned, expected in (("auto", "", 32), (5, "", 5), (5, "test:recall", 1)):
        params = {"predictor_type": BINARY, "epochs": 1, "num_models": given}
        params["_tuning_objective_metric"] = tuned
        _, heard = trained(params, train, validation)
        lines = [
            json.loads(line.removeprefix("#metrics "))
            for line in heard.lines
            if line.startswith("#metrics ") and '"validation_' in line
        ]
        assert [line["Dimensions"]["model"] for line in lines] == list(range(expected))


def test_epochs_are_as_many_as_said_and_fewer_when_nothing_improves() -> None:
    train, validation = halves(BINARY)
    params = {"predictor_type": BINARY, **QUICK}
    slow = {**params, "epochs": 7, "learning_rate": 0.01}
    assert trained(slow, train, validation)[1].epochs == 7
    idle = {"epochs": 30, "learning_rate": 1e-9}
    for patience in (1, 4):
        heard = trained({**params, **idle, "early_stopping_patience": patience}, train, validation)
        assert heard[1].epochs == 1 + patience
    never = {**idle, "early_stopping_patience": 31}
    assert trained({**params, **never}, train, validation)[1].epochs == 30


def test_the_scaler_looks_at_the_first_rows_only() -> None:
    train, validation = halves(BINARY)
    later = train.dense().copy()
    later[100:] *= 1000
    weights = [
        trained({"predictor_type": BINARY, **QUICK, "num_point_for_scaler": 100, "epochs": 1,
                 "learning_rate": 1e-9, "use_bias": False, "unbias_data": False},
                Batch(features, train.label), validation)[0].weights
        for features in (train.dense(), later)
    ]  # fmt: skip
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-4)


def test_raw_features_train_worse_than_scaled_ones_at_the_same_rate() -> None:
    train, validation = halves(BINARY)
    losses = [
        trained({"predictor_type": BINARY, **QUICK, "normalize_data": scaled}, train, validation)[
            1
        ].values("validation:objective_loss:final")[0]
        for scaled in (True, False)
    ]
    assert losses[0] < losses[1] / 2
