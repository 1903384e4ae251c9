"""The report's figures say what the model does on held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clary.algorithms.knn.fit import fit
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.figures import Heatmap, Lines
from clary.kit.run import Run
from tests.algorithms.knn.training import DIABETES, DIGITS, running, trained


def with_test(train: Batch, test: Batch, **given: Any) -> Run[Any]:
    run = running(train, given)
    run.channels = {**run.channels, "test": MemoryChannel("test", test)}
    return run


def effect(figures: list[Any]) -> tuple[Lines, list[float]]:
    (lines,) = (one for one in figures if isinstance(one, Lines) and one.title == "Effect of k")
    ((tried, scores),) = lines.series.values()
    assert list(tried) == list(range(1, len(tried) + 1))
    return lines, list(scores)


def test_the_effect_of_k_is_the_accuracy_of_models_with_that_k() -> None:
    train, test = DIGITS
    lines, scores = effect(fit(with_test(train, test, k=4)).figures(test))
    assert len(scores) == 50
    for k in (1, 4, 20, 50):
        predicted = trained(train, k=k).predict(test)["predicted_label"]
        assert scores[k - 1] == np.mean(predicted == test.labels())
    assert f"{scores[3]:.4g} with k=4 as trained" in lines.caption
    assert f"best {max(scores):.4g}" in lines.caption


def test_the_confusion_matrix_counts_the_answers_by_the_classes_own_names() -> None:
    train, test = (Batch(part.features, part.labels() * 10 - 5) for part in DIGITS)
    model = fit(with_test(train, test))
    (table,) = (one for one in model.figures(test) if isinstance(one, Heatmap))
    assert list(table.rows) == [f"{10 * digit - 5}" for digit in range(10)]
    right = np.sum(model.predict(test)["predicted_label"] == test.labels())
    assert np.trace(np.array(table.values)) == right
    assert np.sum(table.values) == test.rows


def test_a_regressor_shows_residuals_and_the_error_by_k() -> None:
    train, test = DIABETES
    figures = fit(with_test(train, test, predictor_type="regressor", k=9)).figures(test)
    assert [one.title for one in figures][:2] == ["Predicted and true values", "Residuals"]
    errors = (
        test.labels()
        - trained(train, k=9, predictor_type="regressor").predict(test)["predicted_label"]
    )
    _, scores = effect(figures)
    assert scores[8] == pytest.approx(np.sqrt(np.mean(errors.astype(np.float64) ** 2)), rel=1e-6)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"index_metric": "COSINE"},
        {"index_type": "faiss.IVFFlat"},
        {"dimension_reduction_type": "fjlt", "dimension_reduction_target": 40},
    ],
    ids=["flat", "cosine", "ivf", "reduced"],
)
def test_without_a_test_channel_no_row_is_its_own_neighbor(given: dict[str, Any]) -> None:
    train = DIGITS[0]
    model = trained(train, **given)
    lines, scores = effect(model.figures(train))
    assert "rows of train, each without itself" in lines.caption
    distances, labels = model.neighbors(train, 2)
    # Digits differ from each other, so that the nearest row of the sample is the row itself
    assert (distances[:, 0] < 1e-3 * distances[:, 1]).all()
    assert scores[0] == np.mean(labels[:, 1] == train.labels())
    assert scores[0] < 1


def test_inner_products_do_not_tell_a_row_itself() -> None:
    lines, _ = effect(trained(DIGITS[0], index_metric="INNER_PRODUCT").figures(DIGITS[0]))
    assert "which may be their own neighbors" in lines.caption


def test_tiny_samples_and_unlabelled_rows_have_figures_that_fit() -> None:
    model = trained(DIGITS[0].slice(0, 3), k=3)
    _, scores = effect(model.figures(DIGITS[0].slice(0, 3)))
    assert len(scores) == 2
    assert trained(DIGITS[0].slice(0, 1), k=1).figures(DIGITS[0].slice(0, 1)) == []
    assert model.figures(Batch(DIGITS[1].features)) == []
    assert model.figures(None) == []
