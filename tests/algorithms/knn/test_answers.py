"""Answers and scores: scikit-learn's where it has the same rule, and the rule of ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, mean_squared_error
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from clary.algorithms.knn.votes import Scores, answered, shares
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError
from tests.algorithms.knn.training import DIABETES, DIGITS, SETS, trained


def scored(model: Any, rows: Batch) -> dict[str, float]:
    scores: dict[str, float] = model.evaluate(MemoryChannel("test", rows))
    return scores


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("name", SETS)
def test_classes_are_scikit_learns_but_for_ties(name: str, k: int) -> None:
    train, test = SETS[name]
    peer = KNeighborsClassifier(k, algorithm="brute").fit(train.dense(), train.labels())
    chances = np.sort(peer.predict_proba(test.dense()), axis=1)
    tied = chances[:, -1] == chances[:, -2]
    predicted = trained(train, k=k).predict(test)["predicted_label"]
    same = predicted == peer.predict(test.dense())
    # Where several rows are equally far as the k-th, either library may take others of them
    assert same[~tied].mean() > 0.995
    assert same.mean() > 0.97
    # Its rule of ties, the smallest label, is no better than the nearest
    right = np.sum(predicted == test.labels())
    assert right >= np.sum(peer.predict(test.dense()) == test.labels()) - 1


def test_k_nearest_neighbors_know_digits() -> None:
    scores = scored(trained(DIGITS[0], k=3), DIGITS[1])
    # scikit-learn on the same rows: 0.9866
    assert scores["test:accuracy"] > 0.98
    assert scores["test:macro_f_1.000"] > 0.98


@pytest.mark.parametrize("k", [1, 5, 40])
def test_numbers_are_scikit_learns(k: int) -> None:
    train, test = DIABETES
    peer = KNeighborsRegressor(k, algorithm="brute").fit(train.dense(), train.labels())
    model = trained(train, k=k, predictor_type="regressor")
    wanted = peer.predict(test.dense())
    assert model.predict(test)["predicted_label"] == pytest.approx(wanted, rel=1e-5)
    error = mean_squared_error(test.labels(), wanted)
    assert scored(model, test) == {"test:mse": pytest.approx(error, rel=1e-5)}


@pytest.mark.parametrize("metric", ["cosine", "inner product"])
def test_other_metrics_are_as_their_definitions(metric: str) -> None:
    train, test = DIGITS
    x, y = test.dense().astype(np.float64), train.dense().astype(np.float64)
    if metric == "cosine":
        lengths = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(y, axis=1)
        wanted = 1 - x @ y.T / lengths
    else:
        wanted = -(x @ y.T)
    model = trained(train, index_metric=metric.upper().replace(" ", "_"))
    distances = model.predict(test)["distances"]
    assert distances == pytest.approx(np.sort(wanted, axis=1)[:, :5], rel=1e-5, abs=1e-6)
    assert (np.diff(distances, axis=1) >= 0).all()


def test_a_row_of_zeros_has_no_direction_and_the_cosine_distance_one() -> None:
    model = trained(DIGITS[0], index_metric="COSINE")
    nothing = model.predict(Batch(np.zeros((1, 64), np.float32)))
    assert np.array_equal(nothing["distances"], np.ones((1, 5), np.float32))


def test_of_classes_equally_frequent_the_nearest_is_answered() -> None:
    labels = np.float32([[3, 1, 1, 3, 2], [2, 1, 3, 4, 5], [5, 1, 1, 5, 1], [7, 7, 7, 7, 0]])
    assert answered(labels, "classifier").tolist() == [3, 2, 1, 7]
    assert answered(labels, "regressor").tolist() == pytest.approx([2, 3, 2.6, 5.6])


def test_any_number_may_be_a_class() -> None:
    labels = np.float32([[-1.5, 2.25, -1.5], [1e9, 1e9, 0]])
    assert answered(labels, "classifier").tolist() == [-1.5, 1e9]
    classes = np.unique(labels)
    assert shares(labels, classes) == pytest.approx(
        np.float32([[2 / 3, 0, 1 / 3, 0], [0, 1 / 3, 0, 2 / 3]])
    )


def test_answers_for_a_smaller_k_are_prefixes() -> None:
    many, few = trained(DIGITS[0], k=20), trained(DIGITS[0], k=4)
    labels = many.predict(DIGITS[1])["labels"]
    assert np.array_equal(
        answered(labels[:, :4], "classifier"), few.predict(DIGITS[1])["predicted_label"]
    )


def test_scores_are_scikit_learns_with_classes_that_only_one_side_has() -> None:
    draw = np.random.default_rng(0)
    label, predicted = draw.integers(0, 5, 400), draw.integers(1, 7, 400)
    scores = Scores("classifier")
    for start in range(0, 400, 90):
        part = slice(start, start + 90)
        scores.add(label[part].astype(np.float32), predicted[part].astype(np.float32))
    assert scores.metrics() == {
        "test:accuracy": pytest.approx(accuracy_score(label, predicted)),
        "test:macro_f_1.000": pytest.approx(f1_score(label, predicted, average="macro")),
    }


def test_rows_without_a_usable_label_are_refused() -> None:
    train = DIGITS[0]
    with pytest.raises(CallerError, match="channel train: every row needs a label"):
        trained(Batch(train.features))
    label = train.labels().copy()
    label[700] = np.nan
    with pytest.raises(CallerError, match=r"channel train, row 701, label: must be a finite"):
        trained(Batch(train.features, label), mini_batch_size=100)
    with pytest.raises(CallerError, match="channel train: must have one label a row, got 2"):
        trained(Batch(train.features, np.ones((train.rows, 2), np.float32)))
    with pytest.raises(CallerError, match="channel test: every row needs a label"):
        scored(trained(train), Batch(DIGITS[1].features))


def test_k_above_the_sample_is_refused() -> None:
    with pytest.raises(CallerError, match="k: must be at most the rows that were sampled, 40"):
        trained(DIGITS[0], k=41, sample_size=40)
    assert trained(DIGITS[0], k=40, sample_size=40).predict(DIGITS[1])["labels"].shape[1] == 40
    with pytest.raises(CallerError, match="k: must be from 1 to the rows of the sample, 40"):
        trained(DIGITS[0], k=4, sample_size=40).nearest(DIGITS[1], 41)
