"""The Python class: labels of any kind, shares, neighbors, and models made elsewhere."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

import clary
from clary import KNN
from clary.errors import CallerError
from clary.runtime.models import save_model
from tests.algorithms.knn.training import DIABETES, DIGITS, trained

NAMES = np.array([f"digit {digit}" for digit in range(10)])
(TRAIN, LABELS), (TEST, WANTED) = ((part.dense(), part.labels().astype(int)) for part in DIGITS)


@pytest.mark.parametrize("names", [NAMES, np.arange(10) * 7 - 20], ids=["words", "numbers"])
def test_classes_may_be_called_anything(names: np.ndarray) -> None:
    knn = KNN(k=3, predictor_type="classifier").fit(TRAIN, names[LABELS])
    assert knn.classes_.tolist() == sorted(names.tolist())
    assert knn.score(TEST, names[WANTED]) > 0.98
    plain = KNN(k=3, predictor_type="classifier").fit(TRAIN, LABELS).predict(TEST)
    assert np.array_equal(knn.predict(TEST), names[plain])


def test_shares_are_scikit_learns_probabilities_but_for_equal_distances() -> None:
    knn = KNN(k=5, predictor_type="classifier").fit(TRAIN, NAMES[LABELS])
    peer = KNeighborsClassifier(5, algorithm="brute").fit(TRAIN, NAMES[LABELS])
    shares = knn.predict_proba(TEST)
    assert shares.sum(axis=1) == pytest.approx(1)
    same = np.isclose(shares, peer.predict_proba(TEST)).all(axis=1)
    assert same.mean() > 0.98


def test_a_class_without_a_row_in_the_sample_has_no_share() -> None:
    labels = np.where(np.arange(len(LABELS)) == 3, 99, LABELS)
    knn = KNN(k=3, predictor_type="classifier", sample_size=200).fit(TRAIN, labels)
    assert len(knn.model_.classes) == 10
    shares = knn.predict_proba(TEST)
    assert shares.shape == (len(TEST), 11)
    assert not shares[:, 10].any()
    assert (knn.predict(TEST) == WANTED).mean() > 0.9


def test_neighbors_are_the_rows_it_was_fitted_to() -> None:
    knn = KNN(k=4, predictor_type="classifier").fit(TRAIN, LABELS)
    distances, places = knn.kneighbors(TEST)
    true = np.sqrt(((TRAIN[places] - TEST[:, None]) ** 2).sum(axis=2))
    assert distances == pytest.approx(true, rel=1e-6)
    peer = NearestNeighbors(n_neighbors=7, algorithm="kd_tree").fit(TRAIN)
    assert knn.kneighbors(TEST, 7)[0] == pytest.approx(peer.kneighbors(TEST)[0], rel=1e-6)
    assert np.array_equal(knn.kneighbors(TEST, return_distance=False), places)
    with pytest.raises(CallerError, match="k: must be from 1 to the rows of the sample"):
        knn.kneighbors(TEST, len(TRAIN) + 1)


def test_a_regressor_predicts_numbers_and_has_no_shares() -> None:
    train, test = DIABETES
    knn = KNN(k=15, predictor_type="regressor").fit(train.dense(), train.labels())
    # scikit-learn's KNeighborsRegressor: 0.40
    assert knn.score(test.dense(), test.labels()) > 0.35
    assert not hasattr(knn, "predict_proba")


def test_it_is_searched_and_cloned_as_scikit_learn_does() -> None:
    grid = GridSearchCV(KNN(k=1, predictor_type="classifier"), {"k": [1, 60]}, cv=3)
    assert grid.fit(TRAIN[:600], LABELS[:600]).best_params_ == {"k": 1}
    knn = clone(grid.best_estimator_).set_params(k=2).fit(TRAIN, LABELS)
    again = pickle.loads(pickle.dumps(knn))
    assert np.array_equal(again.predict(TEST), knn.predict(TEST))


@pytest.mark.parametrize("name", ["model", "model.tar.gz"])
def test_saved_and_loaded_it_is_the_same(name: str, tmp_path: Path) -> None:
    knn = KNN(k=3, predictor_type="classifier", dimension_reduction_type="sign",
              dimension_reduction_target=40).fit(TRAIN, NAMES[LABELS])  # fmt: skip
    knn.save(tmp_path / name)
    again: Any = clary.load(tmp_path / name)
    assert isinstance(again, KNN)
    assert np.array_equal(again.predict(TEST), knn.predict(TEST))
    assert np.array_equal(again.predict_proba(TEST), knn.predict_proba(TEST))
    assert again.get_params() == knn.get_params()


def test_labels_of_a_model_trained_elsewhere_are_its_classes(tmp_path: Path) -> None:
    train = DIGITS[0]
    shifted = type(train)(train.features, train.labels() + 100)
    (tmp_path / "model").mkdir()
    save_model(trained(shifted), tmp_path / "model")
    knn: Any = clary.load(tmp_path / "model")
    assert knn.classes_.tolist() == list(range(100, 110))
    assert knn.score(TEST, WANTED + 100) > 0.97
    assert knn.predict_proba(TEST).shape == (len(TEST), 10)


def test_wrong_input_is_told() -> None:
    with pytest.raises(ValueError, match="requires y to be passed"):
        KNN(k=3, predictor_type="classifier").fit(TRAIN)
    with pytest.raises(ValueError, match="NaN"):
        KNN(k=3, predictor_type="classifier").fit(np.full((5, 2), np.nan), [0, 1, 0, 1, 0])
    with pytest.raises(ValueError, match="predictor_type: is required"):
        KNN(k=3).fit(TRAIN, LABELS)
