"""Trainings that go on: from a checkpoint after a kill, or from an earlier model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clary.algorithms.kmeans.fit import fit
from clary.algorithms.kmeans.model import KMeansModel
from clary.codecs import ndarray_list
from clary.errors import CallerError
from tests.algorithms.kmeans.training import DIGIT, DIGITS, running, ssd, trained
from tests.algorithms.listening import Checkpoints, Listener

MANY = {"k": 10, "epochs": 4, "mini_batch_size": 300}


class Killed(BaseException):
    """As if the process had been killed."""


def killed_after(epoch: int, folder: Path, hyperparameters: dict[str, Any], **rest: Any) -> None:
    """A training that dies right after a checkpoint."""

    def die(step: int) -> None:
        if step == epoch:
            raise Killed

    with pytest.raises(Killed):
        fit(running(DIGITS, hyperparameters, checkpoints=Checkpoints(folder, die), **rest))


@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize("half_life", [0, 500])
def test_a_killed_training_goes_on_to_the_same_model(
    epoch: int, half_life: int, tmp_path: Path
) -> None:
    hyperparameters = {**MANY, "half_life_time_size": half_life}
    killed_after(epoch, tmp_path, hyperparameters)
    run = running(DIGITS, hyperparameters, checkpoints=Checkpoints(tmp_path))
    resumed = fit(run)
    undisturbed = trained(**hyperparameters)
    assert resumed.centers.tobytes() == undisturbed.centers.tobytes()
    assert isinstance(run.reporter, Listener)
    assert f"going on from the checkpoint after epoch {epoch}" in run.reporter.lines
    assert run.reporter.values("train:progress")[0] == 25 * (epoch + 1)


def test_an_earlier_model_is_remembered_after_a_kill(tmp_path: Path) -> None:
    model, states = tmp_path / "model", tmp_path / "states"
    model.mkdir(), states.mkdir()
    trained(DIGITS[:600], k=10, seed=5).save(model)
    killed_after(2, states, MANY, initial_model=model)
    resumed = fit(running(DIGITS, MANY, checkpoints=Checkpoints(states), initial_model=model))
    undisturbed = fit(running(DIGITS, MANY, initial_model=model))
    assert resumed.centers.tobytes() == undisturbed.centers.tobytes()


def test_with_fewer_epochs_than_the_checkpoint_has_one_more_is_enough(tmp_path: Path) -> None:
    killed_after(3, tmp_path, MANY)
    run = running(DIGITS, {**MANY, "epochs": 2}, checkpoints=Checkpoints(tmp_path))
    fit(run)
    assert run.train.rows_read == len(DIGITS)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    killed_after(1, tmp_path, MANY)
    state = tmp_path / "000001" / "centers.npz"
    whole = state.read_bytes()
    for damaged in (b"", whole[:100], whole[: len(whole) // 2], b"x" * len(whole)):
        state.write_bytes(damaged)
        with pytest.raises(CallerError, match="is damaged or foreign"):
            fit(running(DIGITS, MANY, checkpoints=Checkpoints(tmp_path)))


def test_a_checkpoint_of_other_data_is_refused(tmp_path: Path) -> None:
    killed_after(1, tmp_path, MANY)
    with pytest.raises(CallerError, match="must be of rows with 32 features, as train has, got 64"):
        fit(running(DIGITS[:, :32].copy(), MANY, checkpoints=Checkpoints(tmp_path)))


def test_an_earlier_models_clusters_weigh_as_much_as_the_rows_they_had(tmp_path: Path) -> None:
    old, new = DIGITS[DIGIT < 5], DIGITS[DIGIT >= 5]
    trained(old, k=10).save(tmp_path)
    both = fit(running(new, {"k": 10}, initial_model=tmp_path))
    assert both.sizes is not None
    assert both.sizes.sum() == pytest.approx(len(DIGITS))
    alone = trained(new, k=10)
    assert ssd(both.centers, DIGITS) < 0.9 * ssd(alone.centers, DIGITS)
    # Of the earlier rows only the centers are known, of those that were there before nothing else
    assert ssd(both.centers, DIGITS) < 1.1 * ssd(trained(k=10).centers, DIGITS)


def test_a_model_made_elsewhere_says_only_where_centers_begin(tmp_path: Path) -> None:
    elsewhere = trained(DIGITS[DIGIT < 5], k=10)
    ndarray_list.write(tmp_path / "model_algo-1", [elsewhere.centers])
    run = running(DIGITS, {"k": 10, "extra_center_factor": 1}, initial_model=tmp_path)
    model = fit(run)
    assert model.sizes is not None
    assert model.sizes.sum() == pytest.approx(len(DIGITS))


def test_an_earlier_model_may_have_more_clusters_or_fewer(tmp_path: Path) -> None:
    trained(k=30).save(tmp_path)
    assert fit(running(DIGITS, {"k": 5}, initial_model=tmp_path)).centers.shape == (5, 64)
    assert fit(running(DIGITS, {"k": 60}, initial_model=tmp_path)).centers.shape == (60, 64)


def test_an_earlier_model_of_another_width_is_refused(tmp_path: Path) -> None:
    trained(DIGITS[:, :32].copy(), k=3).save(tmp_path)
    with pytest.raises(CallerError, match="must have as many features as train, 64, got 32"):
        fit(running(DIGITS, {"k": 3}, initial_model=tmp_path))


def test_a_folder_that_holds_no_such_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="has no file model_algo-1"):
        fit(running(DIGITS, {"k": 3}, initial_model=tmp_path))
    assert not KMeansModel.recognizes(tmp_path)


def test_going_on_twice_is_the_same_as_once_with_the_same_seed(tmp_path: Path) -> None:
    trained(k=10).save(tmp_path)
    one, two = (fit(running(DIGITS, {"k": 10}, initial_model=tmp_path)) for _ in range(2))
    np.testing.assert_array_equal(one.centers, two.centers)
