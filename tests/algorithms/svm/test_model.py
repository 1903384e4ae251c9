"""Models: files, answers, summaries, figures, and trainings that are cut short."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_breast_cancer

from clary.algorithms.svm.fit import fit
from clary.algorithms.svm.model import SVMModel
from clary.algorithms.svm.scaling import Scaling
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError
from tests.algorithms.svm.training import (
    BINARY,
    MULTI,
    NUMBER,
    batch_of,
    rows_of,
    running,
    trained,
)

MACHINES: list[dict[str, Any]] = [
    {"predictor_type": MULTI},
    {"predictor_type": MULTI, "kernel": "linear", "probability": True},
    {"predictor_type": BINARY, "kernel_approximation": "random_features", "num_components": 20},
    {"predictor_type": BINARY, "kernel_approximation": "nystroem", "num_components": 20},
    {"predictor_type": NUMBER, "kernel": "poly"},
]


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("told", MACHINES, ids=str)
def test_files_hold_the_whole_model(told: dict[str, Any], sparse: bool, tmp_path: Path) -> None:
    batch = batch_of(told["predictor_type"], sparse=sparse)
    model = trained(batch, **told)
    model.save(tmp_path)
    assert SVMModel.recognizes(tmp_path)
    # Without the manifest, as somebody else's program would have it
    again = SVMModel.load(tmp_path)
    for name, values in model.predict(batch).items():
        assert (again.predict(batch)[name] == values).all()
    assert again.summary() == json.loads(json.dumps(model.summary()))


@pytest.mark.parametrize("name", ["svm.json", "dual.npy", "vectors.npy"])
def test_damaged_files_are_told(name: str, tmp_path: Path) -> None:
    trained(batch_of(MULTI), predictor_type=MULTI).save(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(CallerError, match="damaged"):
        SVMModel.load(tmp_path)


def test_arrays_that_do_not_fit_together_are_told(tmp_path: Path) -> None:
    trained(batch_of(MULTI), predictor_type=MULTI).save(tmp_path)
    np.save(tmp_path / "vectors.npy", np.zeros((3, 64)))
    with pytest.raises(CallerError, match="damaged"):
        SVMModel.load(tmp_path)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_sparse_rows_are_answered_as_dense_ones(kernel: str) -> None:
    dense, sparse = batch_of(MULTI), batch_of(MULTI, sparse=True)
    for batch in (dense, sparse):
        model = trained(batch, predictor_type=MULTI, kernel=kernel)
        found = [model.decisions(rows) for rows in (dense, sparse)]
        assert np.abs(found[0] - found[1]).max() < 1e-9


def test_narrower_sparse_rows_lack_features_that_are_zero() -> None:
    batch = batch_of(MULTI, sparse=True)
    model = trained(batch, predictor_type=MULTI)
    cut = csr_array(rows_of(MULTI)[0][:, :60])
    whole = csr_array((cut.data, cut.indices, cut.indptr), shape=(400, 64))
    assert (model.decisions(Batch(cut)) == model.decisions(Batch(whole))).all()


def test_features_that_never_vary_change_nothing() -> None:
    features, labels = rows_of(BINARY)
    beside = np.column_stack([features, np.full(400, 1234.567, np.float32)])
    told = {"predictor_type": BINARY, "gamma": 0.03}
    wide = trained(Batch(beside, labels), **told)
    narrow = trained(batch_of(BINARY), **told)
    apart = wide.decisions(Batch(beside)) - narrow.decisions(batch_of(BINARY))
    assert np.abs(apart).max() < 1e-6
    assert Scaling.of(beside).scale[-1] == 1


def test_measurements_are_scaled_in_a_sparse_format_too() -> None:
    rows, benign = load_breast_cancer(return_X_y=True)
    train = Batch(csr_array(rows[:400].astype(np.float32)), benign[:400].astype(np.float32))
    test = Batch(csr_array(rows[400:].astype(np.float32)))
    told = trained(train, predictor_type=BINARY).predict(test)["predicted_label"]
    plain = trained(train, predictor_type=BINARY, normalize_data=False).predict(test)
    # Unscaled, the largest features hide all others
    assert np.mean(told == benign[400:]) > 0.96 > np.mean(plain["predicted_label"] == benign[400:])


def test_wide_text_stays_sparse() -> None:
    draw = np.random.default_rng(0)
    places = draw.integers(0, 2**20, (300, 8))
    labels = (np.arange(300) % 2).astype(np.float32)
    places[:, 0] = labels
    ends = np.arange(0, 300 * 8 + 1, 8)
    rows = csr_array((np.ones(2400, np.float32), np.sort(places).ravel(), ends), (300, 2**20))
    for kernel in ("linear", "rbf"):
        model = trained(Batch(rows, labels), predictor_type=BINARY, kernel=kernel)
        assert (model.predict(Batch(rows))["predicted_label"] == labels).mean() > 0.99


def test_a_training_that_is_to_end_still_makes_a_machine() -> None:
    run = running(batch_of(MULTI), {"predictor_type": MULTI})
    run.stopping.set()
    model = fit(run)
    rows, labels = rows_of(MULTI)
    assert (model.predict(Batch(rows))["predicted_label"] == labels).mean() > 0.9


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_reaching_max_iter_is_said(kernel: str) -> None:
    told = {"predictor_type": BINARY, "kernel": kernel, "max_iter": 2, "loss": "auto"}
    run = running(batch_of(BINARY, sparse=True), told)
    fit(run)
    assert any("max_iter before it converged" in line for line in run.reporter.lines)  # type: ignore[attr-defined]


def test_validation_is_scored_under_the_linear_learners_names() -> None:
    run = running(batch_of(BINARY), {"predictor_type": BINARY})
    run.channels = {**run.channels, "validation": MemoryChannel("validation", batch_of(BINARY))}
    fit(run)
    lines = run.reporter.lines  # type: ignore[attr-defined]
    assert any("validation binary_classification_accuracy <score>=0.9" in one for one in lines)
    assert any("validation binary_f_1.000 <score>=0.9" in one for one in lines)


def test_summaries_tell_support_vectors_and_coefficients() -> None:
    told = trained(batch_of(MULTI), predictor_type=MULTI).summary()
    assert told["support_vectors"] == sum(told["support_vectors_by_class"]) > 100
    straight = trained(batch_of(BINARY), predictor_type=BINARY, kernel="linear").summary()
    assert np.shape(straight["coefficients"]) == (1, 30)
    wide = trained(batch_of(MULTI), predictor_type=MULTI, kernel="linear", C=0.01)
    assert np.shape(wide.summary()["coefficients"]) == (10, 64)


@pytest.mark.parametrize("told", MACHINES, ids=str)
def test_reports_show_figures_of_held_out_rows(told: dict[str, Any]) -> None:
    batch = batch_of(told["predictor_type"])
    titles = [one.title for one in trained(batch, **told).figures(batch)]
    wanted = "Residuals" if told["predictor_type"] == NUMBER else "Confusion matrix"
    assert wanted in titles


@pytest.mark.parametrize(
    ("probability", "shown"),
    [(True, {"Calibration", "Spread of the probabilities"}), (False, set())],
)
def test_probabilities_are_shown_with_how_far_they_hold(probability: bool, shown: set[str]) -> None:
    batch = batch_of(BINARY)
    titles = {
        one.title
        for one in trained(batch, predictor_type=BINARY, probability=probability).figures(batch)
    }
    assert titles & {"Calibration", "Spread of the probabilities"} == shown
    assert ("Distances to the border" in titles) is not probability
