"""Going on from an earlier model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import xgboost

from clary.algorithms.xgboost.artifact import write_boosters
from clary.errors import CallerError
from tests.algorithms.xgboost.training import plain, rows, same_trees, trained

BINARY = {"objective": "binary:logistic"}


def earlier(folder: Path, kind: str, params: dict[str, Any], rounds: int) -> xgboost.Booster:
    """An earlier model, in a folder."""
    booster = plain(params, rows(kind)[0], rounds)
    write_boosters([booster], folder)
    return booster


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("binary", BINARY),
        ("binary", {**BINARY, "tree_method": "exact"}),
        ("digits", {"objective": "multi:softprob", "num_class": 10, "max_depth": 2}),
        ("regression", {"booster": "gblinear", "updater": "coord_descent"}),
    ],
    ids=str,
)
def test_more_rounds_are_those_of_the_library(
    tmp_path: Path, kind: str, params: dict[str, Any]
) -> None:
    first = earlier(tmp_path, kind, params, 3)
    train, validation = rows(kind)
    model, heard = trained({"num_round": 4, **params}, validation, train, initial_model=tmp_path)
    assert same_trees(model.boosters[0], plain(params, validation, 4, xgb_model=first))
    assert len(heard.rounds) == 4


def test_early_stopping_counts_from_the_first_new_round(tmp_path: Path) -> None:
    first = earlier(tmp_path, "binary", BINARY, 3)
    train, validation = rows("binary")
    given = {"num_round": 40, "early_stopping_rounds": 2, "eval_metric": "error", **BINARY}
    model, heard = trained(given, train, validation, initial_model=tmp_path)
    best = int(heard.lines[-1].rpartition("[")[2].rstrip("]"))
    assert model.boosters[0].best_iteration == 3 + best
    assert same_trees(model.boosters[0], plain(BINARY, train, best + 1, xgb_model=first))


@pytest.mark.filterwarnings("ignore:.*manually specified the `updater`")
def test_trees_are_refreshed_with_other_rows(tmp_path: Path) -> None:
    params = {**BINARY, "process_type": "update", "updater": "refresh", "refresh_leaf": 1}
    first = earlier(tmp_path, "binary", BINARY, 4)
    other = rows("binary")[1]
    model, _ = trained({"num_round": 4, **params}, other, initial_model=tmp_path)
    theirs = plain(params, other, 4, xgb_model=first)
    assert same_trees(model.boosters[0], theirs)
    assert not same_trees(model.boosters[0], first)


@pytest.mark.filterwarnings("ignore:.*manually specified the `updater`")
def test_no_more_trees_are_refreshed_than_there_are(tmp_path: Path) -> None:
    earlier(tmp_path, "binary", BINARY, 2)
    params = {**BINARY, "process_type": "update", "updater": "refresh"}
    with pytest.raises(CallerError, match="num_round: is more than the rounds of the model"):
        trained({"num_round": 3, **params}, rows("binary")[0], initial_model=tmp_path)


def test_the_number_of_classes_is_the_models(tmp_path: Path) -> None:
    params = {"objective": "multi:softprob", "num_class": 10, "max_depth": 2}
    earlier(tmp_path, "digits", params, 1)
    few = rows("multiclass")[0]
    train = rows("digits")[0]
    model, _ = trained(
        {"num_round": 1, "objective": "multi:softprob"}, train, initial_model=tmp_path
    )
    assert model.params.num_class == 10
    with pytest.raises(CallerError, match="num_class: is 10 in the model, got 3"):
        trained({**params, "num_round": 1, "num_class": 3}, few, initial_model=tmp_path)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"objective": "reg:squarederror"}, "objective: must suit the model's, binary:logistic"),
        (BINARY, "channel train: must have 30 features a row, got 10"),
    ],
    ids=["objective", "width"],
)
def test_a_model_that_does_not_suit_is_refused(
    tmp_path: Path, params: dict[str, Any], words: str
) -> None:
    earlier(tmp_path, "binary", BINARY, 2)
    train = rows("regression")[0]
    if params is BINARY:
        train = type(train)(train.features, (train.labels() > 100).astype("float32"))
    with pytest.raises(CallerError, match=words):
        trained({"num_round": 2, **params}, train, initial_model=tmp_path)


def test_one_model_is_wanted(tmp_path: Path) -> None:
    write_boosters([plain(BINARY, rows("binary")[0], 1)] * 2, tmp_path)
    with pytest.raises(CallerError, match="channel model: must hold one model, got '2 models'"):
        trained({"num_round": 1, **BINARY}, rows("binary")[0], initial_model=tmp_path)
