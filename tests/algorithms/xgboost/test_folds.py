"""Cross-validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import roc_auc_score

from clary.algorithms.xgboost.model import XGBoostModel
from clary.codecs.batch import Batch, concatenate
from clary.errors import CallerError
from tests.algorithms.xgboost.training import rows, running, trained

BINARY = {"objective": "binary:logistic", "num_round": 8, "max_depth": 3}


def predictions(folder: Path) -> npt.NDArray[Any]:
    """The rows of predictions.csv."""
    return np.loadtxt(folder / "predictions.csv", delimiter=",")


def test_each_row_is_predicted_by_the_model_that_has_not_seen_it(tmp_path: Path) -> None:
    train, validation = rows("binary")
    everything = concatenate([train, validation])
    given = {**BINARY, "_kfold": 5}
    model, _ = trained(given, train, validation, output=tmp_path)
    label, chance, told = predictions(tmp_path).T
    np.testing.assert_array_equal(label, everything.labels())
    np.testing.assert_array_equal(told, chance > 0.5)
    scores = np.stack(
        [
            np.asarray(XGBoostModel([booster], model.params).predict(everything)["score"])
            for booster in model.boosters
        ]
    )
    # Six decimals are written
    own = np.abs(scores - chance) < 1e-6
    assert own.any(axis=0).all()
    # A model that has seen a row is surer of it
    assert roc_auc_score(label, chance) < roc_auc_score(label, scores.mean(axis=0))


def test_classes_are_spread_evenly_over_the_folds(tmp_path: Path) -> None:
    # Ten rows of class 1 among 200, so two for each of five folds
    features = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    label = (np.arange(200) % 20 == 0).astype(np.float32)
    run = running({**BINARY, "_kfold": 5}, Batch(features, label))
    from clary.algorithms.xgboost.folds import _splits

    for kept, left_out in _splits(label, run.params, 1, run.rng):
        assert label[left_out].sum() == 2
        assert sorted([*kept, *left_out]) == list(range(200))


def test_metrics_are_the_means_of_the_folds_at_their_ends() -> None:
    train, validation = rows("binary")
    _, heard = trained({**BINARY, "_kfold": 3, "eval_metric": "auc,f1"}, train, validation)
    ends = [line for line in heard.rounds if line.startswith("[7]")]
    assert len(ends) == 3
    assert len(heard.rounds) == 3 * 8 + 1
    held_out = [float(line.partition("validation-auc:")[2].partition("#")[0]) for line in ends]
    assert heard.values("validation:auc") == [pytest.approx(np.mean(held_out), abs=1e-5)]
    assert heard.rounds[-1].startswith("[8]#011train-auc:")


def test_repeats_average_numbers(tmp_path: Path) -> None:
    train, validation = rows("regression")
    given = {"num_round": 4, "_kfold": 2, "_num_cv_round": 3}
    model, heard = trained(given, train, validation, output=tmp_path)
    assert len(model.boosters) == 6
    assert [line for line in heard.lines if line.startswith("fold")][-1] == (
        "fold 2 of 2, repeat 3 of 3"
    )
    label, told = predictions(tmp_path).T
    assert len(label) == train.rows + validation.rows
    everything = concatenate([train, validation])
    seen = np.mean([b.inplace_predict(everything.features) for b in model.boosters], axis=0)
    # Half of the six models have not seen a row: their mean is near that of all, and not it
    assert 0.9 < np.corrcoef(seen, told)[0, 1] < 1


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_repeats_vote_for_classes(tmp_path: Path, objective: str) -> None:
    train, validation = rows("multiclass")
    given = {"num_round": 3, "_kfold": 3, "_num_cv_round": 3, "objective": objective}
    trained(given, train, validation, output=tmp_path)
    label, _, told = predictions(tmp_path).T
    assert np.mean(label == told) > 0.9


def test_folds_are_the_same_for_the_same_seed() -> None:
    train, validation = rows("binary")
    first, _ = trained({**BINARY, "_kfold": 2}, train, validation)
    again, _ = trained({**BINARY, "_kfold": 2}, train, validation)
    pairs = zip(first.boosters, again.boosters, strict=True)
    assert all(one.save_raw("ubj") == other.save_raw("ubj") for one, other in pairs)


def test_each_fold_may_stop_early() -> None:
    train, validation = rows("binary")
    given = {**BINARY, "num_round": 80, "_kfold": 3, "early_stopping_rounds": 2, "eta": 1}
    model, _ = trained(given, train, validation)
    assert all(booster.num_boosted_rounds() < 78 for booster in model.boosters)


def test_predictions_stay_in_memory_without_an_output_folder() -> None:
    trained({**BINARY, "_kfold": 2}, rows("binary")[0])


def test_more_folds_than_rows_are_refused() -> None:
    with pytest.raises(CallerError, match="_kfold: needs one host, no qid and a row for each fold"):
        trained({**BINARY, "_kfold": 12}, rows("binary")[0].slice(0, 11))
