"""The artifact in SageMaker's form, and what a model tells of itself."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from clary.algorithms.linear_learner.artifact import Layer, write
from clary.algorithms.linear_learner.model import LinearLearnerModel
from clary.codecs import ndarray_list
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError
from clary.kit.figures import Bars
from tests.algorithms.linear_learner.training import halves, rows, saved, trained

KINDS = ["binary_classifier", "multiclass_classifier", "regressor"]
QUICK = {"num_models": 2, "epochs": 3}


def model_of(kind: str, **params: Any) -> LinearLearnerModel:
    return trained({"predictor_type": kind, **QUICK, **params}, *halves(kind))[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_answers_the_same_with_and_without_its_hyperparameters(
    kind: str, tmp_path: Path
) -> None:
    model, batch = model_of(kind), rows(kind)
    saved(model, tmp_path)
    assert LinearLearnerModel.recognizes(tmp_path)
    for params in (model.params.values(), None):
        again = LinearLearnerModel.load(tmp_path, params)
        for name, values in model.predict(batch).items():
            np.testing.assert_array_equal(again.predict(batch)[name], values)


def test_the_artifact_is_a_zip_with_an_mxnet_module(tmp_path: Path) -> None:
    model = model_of("binary_classifier")
    saved(model, tmp_path)
    with zipfile.ZipFile(tmp_path / "model_algo-1") as archive:
        assert set(archive.namelist()) == {
            "additional-params.json",
            "manifest.json",
            "mx-mod-symbol.json",
            "mx-mod-0000.params",
        }
        arrays = ndarray_list.loads(archive.read("mx-mod-0000.params"), "params")
        symbol = json.loads(archive.read("mx-mod-symbol.json"))
    assert isinstance(arrays, dict)
    np.testing.assert_array_equal(arrays["arg:fc0_weight"], model.weights)
    np.testing.assert_array_equal(arrays["arg:fc0_bias"], model.bias)
    operators = [node["op"] for node in symbol["nodes"]]
    assert operators == ["null", "null", "null", "FullyConnected", "Activation"]
    assert symbol["nodes"][0]["name"] == "data"


def test_a_module_made_elsewhere_is_read(tmp_path: Path) -> None:
    weights = np.array([[1.0, -2.0], [0.5, 0.0], [0.0, 1.0]], np.float32)
    write(tmp_path, Layer(weights, np.zeros(3, np.float32), "softmax", {}))
    model = LinearLearnerModel.load(tmp_path)
    assert model.params.predictor_type == "multiclass_classifier"
    assert model.predict(Batch(np.eye(2, dtype=np.float32)))["predicted_label"].tolist() == [0, 2]


@pytest.mark.parametrize("damage", ["truncated", "another zip", "not finite", "text"])
def test_a_damaged_artifact_is_refused(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "model_algo-1"
    whole = saved(model_of("regressor"), tmp_path)
    if damage == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "text":
        path.write_text("no model")
    elif damage == "another zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "no model")
    else:
        weights = np.full((1, 2), np.nan, np.float32)
        write(tmp_path, Layer(weights, np.zeros(1, np.float32), "identity", {}))
    with pytest.raises(CallerError, match="not a linear learner's model"):
        LinearLearnerModel.load(tmp_path)


def test_answers_do_not_depend_on_the_rows_beside() -> None:
    for kind in KINDS:
        model, batch = model_of(kind), rows(kind)
        whole = model.predict(batch)["score"]
        single = [model.predict(batch.slice(at, at + 1))["score"][0] for at in range(40)]
        np.testing.assert_array_equal(np.array(single), whole[:40])


def test_scores_are_what_the_contract_says() -> None:
    batch = rows("multiclass_classifier")
    several = model_of("multiclass_classifier").predict(batch)
    np.testing.assert_allclose(several["score"].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(several["score"].argmax(axis=1), several["predicted_label"])
    batch = rows("binary_classifier")
    model = model_of("binary_classifier")
    two = model.predict(batch)
    np.testing.assert_array_equal(
        two["predicted_label"], two["score"] >= np.float32(model.threshold)
    )
    assert two["score"].min() >= 0
    assert two["score"].max() <= 1
    hinge = model_of("binary_classifier", loss="hinge_loss").predict(batch)
    assert hinge["score"].min() < 0
    assert set(model_of("regressor").predict(rows("regressor"))) == {"score"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_declared_test_metric_of_the_kind_is_evaluated(kind: str) -> None:
    model = model_of(kind)
    found = model.evaluate(MemoryChannel("test", rows(kind)))
    wanted = {
        metric.name
        for metric in model.algorithm.metrics
        if metric.name.startswith("test:") and (not metric.when or kind in metric.when)
    }
    assert set(found) == wanted
    assert all(np.isfinite(value) for value in found.values())


def test_the_reported_scores_are_those_of_the_model() -> None:
    train, validation = halves("binary_classifier")
    model, heard = trained({"predictor_type": "binary_classifier", **QUICK}, train, validation)
    again = model.scores(MemoryChannel("validation", validation))
    for name, value in again.items():
        final = f"validation:{name}{':final' if name == 'objective_loss' else ''}"
        assert heard.values(final) == [pytest.approx(value)]
    assert not any(name.startswith("train:binary") for name in heard.names)
    alone = trained({"predictor_type": "binary_classifier", **QUICK}, train)[1]
    assert "train:binary_classification_accuracy" in alone.names
    assert not any(name.startswith("validation:") for name in alone.names)


@pytest.mark.parametrize("kind", [*KINDS, "digits"])
def test_the_summary_is_readable(kind: str) -> None:
    real = "multiclass_classifier" if kind == "digits" else kind
    model = trained({"predictor_type": real, **QUICK}, *halves(kind))[0]
    told = json.loads(json.dumps(model.summary()))
    assert told["predictor_type"] == real
    assert told["features"] == model.width
    assert np.shape(told["coefficients"])[-1] == model.width


def test_a_wide_model_tells_its_largest_coefficients() -> None:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(60, 1500)).astype(np.float32)
    batch = Batch(features, (features[:, 7] > 0).astype(np.float32))
    model, _ = trained({"predictor_type": "binary_classifier", **QUICK}, batch)
    told = model.summary()["largest_coefficients"]
    assert len(told) == 1000
    largest = np.sort(np.abs(model.weights[0]))[:-1001:-1]
    np.testing.assert_array_equal([abs(one["weight"]) for one in told], largest)
    assert all(model.weights[0, one["feature"]] == np.float32(one["weight"]) for one in told)


@pytest.mark.parametrize(
    ("kind", "titles"),
    [
        ("binary_classifier", {"Confusion matrix", "ROC curve", "Precision and recall"}),
        ("multiclass_classifier", {"Confusion matrix"}),
        ("regressor", {"Predicted and true values", "Residuals"}),
    ],
)
def test_the_report_shows_how_good_the_model_is(kind: str, titles: set[str]) -> None:
    found = {figure.title for figure in model_of(kind).figures(rows(kind))}
    assert titles <= found
    assert model_of(kind).figures(None) == []


def test_the_features_that_count_most_are_told_by_weight_and_deviation() -> None:
    kind = "regressor"
    model, batch = model_of(kind), rows(kind)
    shown = {figure.title: figure for figure in model.figures(batch)}["Features that count most"]
    assert isinstance(shown, Bars)
    moves = model.weights[0] * batch.dense().std(axis=0)
    order = np.argsort(-np.abs(moves))[: len(shown.values)]
    assert shown.labels[0] == f"feature {order[0]}"
    np.testing.assert_allclose(shown.values, moves[order], rtol=1e-4)
    sparse = Batch(csr_array(batch.dense()), batch.label)
    same = {figure.title: figure for figure in model.figures(sparse)}["Features that count most"]
    assert isinstance(same, Bars)
    np.testing.assert_allclose(same.values, shown.values, rtol=1e-6)


@pytest.mark.parametrize("delta", [0.25, 20.0])
def test_the_objective_is_in_the_labels_unit(delta: float) -> None:
    batch = rows("regressor")
    model = model_of("regressor", loss="huber_loss", huber_delta=delta)
    error = np.abs(model.predict(batch)["score"].astype(float) - batch.label)
    huber = np.where(error <= delta, error**2 / 2, delta * (error - delta / 2)).mean()
    found = model.evaluate(MemoryChannel("test", batch))["test:objective_loss"]
    assert found == pytest.approx(huber, rel=1e-4)
