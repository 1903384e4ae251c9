"""Trainings that are killed and started again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import xgboost

from clary.errors import CallerError
from tests.algorithms.listening import Checkpoints
from tests.algorithms.xgboost.training import rows, same_trees, trained


class Killed(BaseException):
    """As if the process had been killed."""


def killed_after(step: int, folder: Path, params: dict[str, Any]) -> None:
    """A training that dies right after a checkpoint."""

    def die(at: int) -> None:
        if at == step:
            raise Killed

    with pytest.raises(Killed):
        trained(params, *rows("binary"), checkpoints=Checkpoints(folder, die))


@pytest.fixture(autouse=True)
def every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints at every round, however long they take."""
    monkeypatch.setattr("clary.algorithms.xgboost.checkpoint._WRITING_SHARE", 1)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"tree_method": "exact"},
        {"tree_method": "approx"},
        {"num_parallel_tree": 2, "max_depth": 3},
        {"booster": "gblinear", "updater": "coord_descent"},
        {"objective": "multi:softprob", "num_class": 2},
    ],
    ids=str,
)
def test_a_training_goes_on_to_the_same_model(tmp_path: Path, params: dict[str, Any]) -> None:
    given = {"num_round": 9, "objective": "binary:logistic", "eval_metric": "accuracy", **params}
    unbroken, whole = trained(given, *rows("binary"))
    killed_after(4, tmp_path, given)
    resumed, heard = trained(given, *rows("binary"), checkpoints=Checkpoints(tmp_path))
    assert resumed.boosters[0].save_raw("ubj") == unbroken.boosters[0].save_raw("ubj")
    assert heard.lines[0] == "going on from the checkpoint after round 4"
    assert heard.rounds == whole.rounds[4:]


@pytest.mark.parametrize(
    "params",
    [{}, {"booster": "gblinear", "updater": "coord_descent", "lambda": 0}],
    ids=["gbtree", "gblinear"],
)
def test_early_stopping_remembers_the_best_round(tmp_path: Path, params: dict[str, Any]) -> None:
    given = {
        "num_round": 60,
        "objective": "binary:logistic",
        "eval_metric": "error",
        "early_stopping_rounds": 4,
        "eta": 1,
        **params,
    }
    unbroken, whole = trained(given, *rows("binary"))
    best = unbroken.boosters[0].best_iteration
    assert best + 5 == len(whole.rounds) < 60
    killed_after(best + 3, tmp_path, given)
    resumed, heard = trained(given, *rows("binary"), checkpoints=Checkpoints(tmp_path))
    assert same_trees(resumed.boosters[0], unbroken.boosters[0])
    assert heard.rounds == whole.rounds[best + 3 :]


def test_checkpoints_are_models_of_the_library_under_the_names_of_the_image(tmp_path: Path) -> None:
    trained({"num_round": 3}, *rows("regression"), checkpoints=Checkpoints(tmp_path))
    content = (tmp_path / "000002" / "xgboost-checkpoint.2").read_bytes()
    booster = xgboost.Booster(model_file=bytearray(content))
    assert booster.num_boosted_rounds() == 2


def test_a_finished_training_has_nothing_left_to_do(tmp_path: Path) -> None:
    given = {"num_round": 3}
    first, _ = trained(given, *rows("regression"), checkpoints=Checkpoints(tmp_path))
    again, heard = trained(given, *rows("regression"), checkpoints=Checkpoints(tmp_path))
    assert heard.rounds == []
    assert same_trees(first.boosters[0], again.boosters[0])


def test_what_is_drawn_by_chance_is_drawn_anew_and_the_log_says_so(tmp_path: Path) -> None:
    given = {"num_round": 6, "objective": "binary:logistic", "subsample": 0.5}
    killed_after(3, tmp_path, given)
    model, heard = trained(given, *rows("binary"), checkpoints=Checkpoints(tmp_path))
    assert model.boosters[0].num_boosted_rounds() == 6
    assert any(line.startswith("rows, columns or trees are drawn anew") for line in heard.lines)


@pytest.mark.parametrize("damage", ["progress.json", "xgboost-checkpoint.2"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: str) -> None:
    trained({"num_round": 2}, *rows("regression"), checkpoints=Checkpoints(tmp_path))
    (tmp_path / "000002" / damage).unlink()
    with pytest.raises(CallerError, match="is damaged or foreign"):
        trained({"num_round": 3}, *rows("regression"), checkpoints=Checkpoints(tmp_path))


def test_writing_checkpoints_takes_a_tenth_of_the_time_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    clock = iter(range(0, 10_000, 1))
    # Each look at the clock is a second later: a write takes one, so nine more must pass
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    trained({"num_round": 30}, *rows("regression"), checkpoints=Checkpoints(tmp_path))
    assert [int(each.name) for each in sorted(tmp_path.iterdir())] == [1, 10, 19, 28]
