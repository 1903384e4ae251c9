"""Machines equal scikit-learn's, which are libsvm's and liblinear's.

Both are solved to a tolerance far below the default, so that only rounding is between them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from clary.codecs.batch import Batch
from tests.algorithms.svm.training import BINARY, MULTI, NUMBER, batch_of, rows_of, trained

KERNELS: list[dict[str, Any]] = [
    {"kernel": "rbf"},
    {"kernel": "rbf", "gamma": "auto", "C": 10},
    {"kernel": "poly", "degree": 2, "coef0": 1.0},
    {"kernel": "sigmoid", "gamma": 0.005, "coef0": -0.1},
]
TIGHT = 1e-7
each_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=str)
each_form = pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])


@each_form
@each_kernel
@pytest.mark.parametrize("predictor_type", [BINARY, MULTI])
def test_classifiers_decide_and_vote_as_libsvm_does(
    predictor_type: str, kernel: dict[str, Any], sparse: bool
) -> None:
    features, labels = rows_of(predictor_type)
    theirs = SVC(tol=TIGHT, **kernel).fit(features.astype(np.float64), labels)
    batch = batch_of(predictor_type, sparse=sparse)
    ours = trained(batch, predictor_type=predictor_type, tol=TIGHT, normalize_data=False, **kernel)
    decisions = theirs.decision_function(features.astype(np.float64))
    assert np.abs(ours.decisions(batch) - decisions).max() < 1e-4
    assert (ours.predict(batch)["predicted_label"] == theirs.predict(features)).all()
    assert ours.support_counts == tuple(theirs.n_support_)


def test_pairs_of_classes_decide_as_libsvms_do() -> None:
    features, labels = rows_of(MULTI)
    theirs = SVC(tol=TIGHT, decision_function_shape="ovo").fit(features, labels)
    ours = trained(batch_of(MULTI), predictor_type=MULTI, tol=TIGHT, normalize_data=False)
    pairs = ours.machine.raw(features)
    assert pairs.shape == (len(features), 45)
    assert np.abs(pairs - theirs.decision_function(features)).max() < 1e-4


@each_form
@each_kernel
def test_regressors_predict_what_libsvm_does(kernel: dict[str, Any], sparse: bool) -> None:
    features, labels = rows_of(NUMBER)
    theirs = SVR(tol=TIGHT, epsilon=5, **kernel).fit(features, labels)
    batch = batch_of(NUMBER, sparse=sparse)
    told = {"predictor_type": NUMBER, "tol": TIGHT, "epsilon": 5, "normalize_data": False}
    ours = trained(batch, **told, **kernel)
    # Labels go to 346, answers are float32
    assert np.abs(ours.predict(batch)["score"] - theirs.predict(features)).max() < 1e-3
    assert ours.support_counts == (len(theirs.support_),)


@each_form
@pytest.mark.parametrize(
    "settings", [{}, {"loss": "hinge"}, {"penalty": "l1"}, {"C": 0.01}], ids=str
)
@pytest.mark.parametrize("predictor_type", [BINARY, MULTI])
def test_linear_classifiers_have_liblinears_coefficients(
    predictor_type: str, settings: dict[str, Any], sparse: bool
) -> None:
    features, labels = rows_of(predictor_type)
    dual = settings.get("loss") == "hinge"
    tight = {"tol": 1e-6, "max_iter": 100_000, "C": 0.1, **settings}
    theirs = LinearSVC(dual=dual, random_state=0, **tight).fit(features, labels)
    batch = batch_of(predictor_type, sparse=sparse)
    told = {"predictor_type": predictor_type, "kernel": "linear", "normalize_data": False}
    ours = trained(batch, **told, **tight)
    raw = ours.machine.raw(features)
    assert np.abs(raw - theirs.decision_function(features).reshape(raw.shape)).max() < 2e-3
    agree = ours.predict(batch)["predicted_label"] == theirs.predict(features)
    assert agree.mean() > 0.997  # all but one row on a border


@each_form
@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_epsilon_insensitive"])
def test_linear_regressors_predict_what_liblinear_does(loss: str, sparse: bool) -> None:
    features, labels = rows_of(NUMBER)
    tight = {"loss": loss, "tol": 1e-6, "max_iter": 100_000, "epsilon": 5, "C": 0.5}
    theirs = LinearSVR(dual=True, random_state=0, **tight).fit(features, labels)
    told = {"predictor_type": NUMBER, "kernel": "linear", "normalize_data": False}
    batch = batch_of(NUMBER, sparse=sparse)
    ours = trained(batch, **told, **tight)
    assert np.abs(ours.predict(batch)["score"] - theirs.predict(features)).max() < 0.05


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_scaling_inside_the_model_is_scikit_learns_outside_of_it(kernel: str) -> None:
    features, labels = rows_of(BINARY)
    stretched = (features * np.linspace(0.1, 50, 30) + 7).astype(np.float32)
    batch = Batch(stretched, labels)
    solver = SVC(tol=TIGHT) if kernel == "rbf" else LinearSVC(tol=TIGHT, dual=False)
    theirs = make_pipeline(StandardScaler(), solver).fit(stretched.astype(np.float64), labels)
    ours = trained(batch, predictor_type=BINARY, kernel=kernel, tol=TIGHT)
    found = ours.decisions(batch) - theirs.decision_function(stretched.astype(np.float64))
    assert np.abs(found).max() < 1e-3


def test_sparse_rows_are_scaled_by_their_largest_values() -> None:
    batch = batch_of(BINARY, sparse=True)
    scaled = MaxAbsScaler().fit_transform(batch.dense().astype(np.float64))
    theirs = SVC(tol=TIGHT).fit(scaled, batch.labels())
    ours = trained(batch, predictor_type=BINARY, tol=TIGHT, normalize_data=True)
    assert np.abs(ours.decisions(batch) - theirs.decision_function(scaled)).max() < 1e-4
    assert not isinstance(ours.machine.inputs.vectors, np.ndarray)  # type: ignore[union-attr]


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("weights", ["balanced", {"0": 3.0, "1": 0.5}], ids=str)
def test_classes_weigh_as_in_scikit_learn(kernel: str, weights: Any) -> None:
    features, labels = rows_of(BINARY)
    theirs_weights = {int(k): v for k, v in weights.items()} if weights != "balanced" else weights
    settings = {"tol": TIGHT, "class_weight": theirs_weights, "C": 0.1}
    solver = SVC(**settings) if kernel == "rbf" else LinearSVC(dual=False, **settings)
    theirs = solver.fit(features, labels)
    told = {"tol": TIGHT, "class_weight": weights, "C": 0.1, "normalize_data": False}
    ours = trained(batch_of(BINARY), predictor_type=BINARY, kernel=kernel, **told)
    assert (
        np.abs(ours.decisions(batch_of(BINARY)) - theirs.decision_function(features)).max() < 1e-3
    )


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_a_row_of_weight_two_is_two_rows(kernel: str) -> None:
    features, labels = rows_of(MULTI)
    weights = np.where(np.arange(len(labels)) % 3 == 0, 2, 1).astype(np.float32)
    weights[5] = 0
    times = weights.astype(int)
    doubled = Batch(np.repeat(features, times, axis=0), np.repeat(labels, times))
    told = {"predictor_type": MULTI, "kernel": kernel, "tol": 1e-9, "normalize_data": False}
    # gamma=scale would follow the repeated rows
    if kernel == "rbf":
        told["gamma"] = 0.01
    weighed = trained(replace(batch_of(MULTI), weights=weights), **told)
    apart = weighed.machine.raw(features) - trained(doubled, **told).machine.raw(features)
    assert np.abs(apart).max() < 1e-3
