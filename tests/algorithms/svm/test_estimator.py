"""The Python class: labels of any kind, weights by label, saving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clary import SVM, load
from tests.algorithms.svm.training import BINARY, MULTI, rows_of


def named_rows() -> tuple[np.ndarray, np.ndarray]:
    rows, labels = rows_of(BINARY)
    return rows, np.where(labels == 1, "benign", "malign")


def test_classes_keep_their_names_when_saved_and_loaded(tmp_path: Path) -> None:
    rows, names = named_rows()
    model = SVM(predictor_type=BINARY, probability=True).fit(rows, names)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert (again.predict(rows) == model.predict(rows)).all()
    assert set(again.predict(rows)) == {"benign", "malign"}
    assert (again.predict_proba(rows) == model.predict_proba(rows)).all()
    assert ((model.decision_function(rows) > 0) == (model.predict(rows) == "malign")).all()
    assert model.n_support_.sum() == again.n_support_.sum() > 0


def test_weights_name_labels_and_a_loaded_model_trains_again_with_them(tmp_path: Path) -> None:
    rows, names = named_rows()
    plain = SVM(predictor_type=BINARY, C=0.01).fit(rows, names)
    weighed = SVM(predictor_type=BINARY, C=0.01, class_weight={"malign": 20}).fit(rows, names)
    assert (weighed.predict(rows) == "malign").sum() > (plain.predict(rows) == "malign").sum()
    weighed.save(tmp_path / "model")
    again = load(tmp_path / "model").fit(rows, names)
    assert (again.decision_function(rows) == weighed.decision_function(rows)).all()


def test_weights_of_labels_that_are_not_there_are_refused() -> None:
    rows, names = named_rows()
    with pytest.raises(ValueError, match="'spam', which is no class of y"):
        SVM(predictor_type=BINARY, class_weight={"malign": 2, "spam": 3}).fit(rows, names)


def test_two_classes_of_a_multiclass_classifier_are_learned_as_binary() -> None:
    rows, names = named_rows()
    several = SVM(predictor_type=MULTI).fit(rows, names)
    assert (
        several.predict(rows) == SVM(predictor_type=BINARY).fit(rows, names).predict(rows)
    ).all()
    assert several.decision_function(rows).shape == (400,)
