"""Kernels on many rows: features whose products stand for the kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from clary.algorithms.svm import fit as fitting
from clary.algorithms.svm.approximation import approximated, landmarks, waves
from clary.algorithms.svm.fit import fit
from clary.algorithms.svm.kernels import Kernel
from clary.algorithms.svm.machine import Likenesses, Waves
from clary.algorithms.svm.spec import SVMHyperparameters
from clary.codecs.batch import Batch
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

KERNELS = [Kernel("rbf", 0.02), Kernel("poly", 0.02, 2, 1.0)]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda one: str(one.name))
def test_with_every_row_a_landmark_products_are_the_kernel(kernel: Kernel) -> None:
    rows = rows_of(MULTI)[0].astype(np.float64)
    made = landmarks(kernel, rows, 1000, np.random.default_rng(0))
    features = approximated(made, rows).astype(np.float64)
    wanted = kernel.values(rows, rows)
    assert np.abs(features @ features.T - wanted).max() < 1e-4 * wanted.max()


def test_products_of_waves_come_near_to_the_kernel_as_waves_become_more() -> None:
    rows = rows_of(MULTI)[0].astype(np.float64)
    kernel = Kernel("rbf", 0.02)
    wanted = kernel.values(rows, rows)
    for count in (200, 5000):
        features = approximated(waves(kernel, 64, count, np.random.default_rng(0)), rows)
        apart = features @ features.T - wanted
        # Each product is a mean of `count` draws whose squares are 1.5 at most in the mean
        assert np.sqrt(np.mean(apart**2)) < 1.25 / np.sqrt(count)


@pytest.mark.parametrize(
    ("approximation", "components"), [("nystroem", 400), ("random_features", 2000)]
)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_approximated_machines_are_nearly_as_right_as_exact_ones(
    approximation: str, components: int, sparse: bool
) -> None:
    features, labels = rows_of(MULTI, 1700)
    rows = csr_array(features) if sparse else features
    train, test = Batch(rows[:1200], labels[:1200]), Batch(rows[1200:])

    def accuracy(**told: Any) -> float:
        model = trained(train, predictor_type=MULTI, C=10, **told)
        return float(np.mean(model.predict(test)["predicted_label"] == labels[1200:]))

    assert accuracy() > 0.94
    several = {"kernel_approximation": approximation, "num_components": components}
    # Of 500 rows, ten more are wrong
    assert accuracy(**several) >= accuracy() - 0.02


def test_regressors_are_approximated() -> None:
    features, labels = rows_of(NUMBER)
    told = {"predictor_type": NUMBER, "C": 10, "epsilon": 1}
    near = trained(Batch(features, labels), kernel_approximation="nystroem", **told)
    errors = near.predict(Batch(features))["score"] - labels
    assert np.sqrt(np.mean(errors**2)) < 0.8 * labels.std()


def test_many_rows_are_approximated_and_the_log_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "_MOST_ROWS", 300)
    run = running(batch_of(BINARY), {"predictor_type": BINARY, "num_components": 50})
    model = fit(run)
    assert isinstance(model.machine.inputs, Likenesses)
    assert model.machine.inputs.inputs == 50
    assert any("the kernel is approximated" in line for line in run.reporter.lines)  # type: ignore[attr-defined]
    assert run.params.kernel_approximation == "nystroem"
    exact = running(batch_of(BINARY), {"predictor_type": BINARY, "kernel_approximation": "none"})
    assert fit(exact).support_counts


def test_of_many_classes_the_two_largest_decide_whether_to_approximate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fitting, "_MOST_ROWS", 300)
    run = running(batch_of(MULTI), {"predictor_type": MULTI})
    assert fit(run).support_counts


def test_random_features_are_for_rbf() -> None:
    told = {"predictor_type": BINARY, "kernel_approximation": "random_features"}
    model = trained(batch_of(BINARY), num_components=30, **told)
    assert isinstance(model.machine.inputs, Waves)
    with pytest.raises(CallerError, match="random_features suit kernel rbf only"):
        SVMHyperparameters.parse({**told, "kernel": "poly"})
