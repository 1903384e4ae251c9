"""The same seed and data give the same bytes; trainings go on where they were."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

from clary.algorithms.linear_learner.fit import fit
from clary.data.channel import Channel, MemoryChannel
from tests.algorithms.linear_learner.training import halves, rows, running, saved, trained, words
from tests.algorithms.listening import Checkpoints

KINDS = ["binary_classifier", "multiclass_classifier", "regressor"]


class Blocks(MemoryChannel):
    """Rows in blocks of any size, as files and pipes bring them."""

    def blocks(self, epoch: int) -> Any:
        batch = self._batch
        ends = [0, 3, 100, 101, batch.rows]
        for start, stop in pairwise(ends):
            yield batch.slice(start, stop)


@pytest.mark.parametrize("kind", [*KINDS, "sparse"])
def test_one_and_two_threads_give_the_same_bytes(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = "binary_classifier" if kind == "sparse" else kind
    train, validation = (words(2000, 400), words(500, 400, 1)) if kind == "sparse" else halves(kind)
    found = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        model, heard = trained({"predictor_type": real, "epochs": 4}, train, validation)
        scores = [one for one in heard.metrics if "throughput" not in one[0]]
        found.append((saved(model, tmp_path), scores))
    assert found[0] == found[1] == found[2]


def test_the_size_of_blocks_does_not_matter(tmp_path: Path) -> None:
    train, validation = halves("binary_classifier")
    params = {"predictor_type": "binary_classifier", "epochs": 3}
    run = running(params, train, validation)
    channels: dict[str, Channel] = {
        "train": Blocks("train", train),
        "validation": Blocks("validation", validation),
    }
    run.channels = channels
    whole = trained(params, train, validation)[0]
    assert saved(fit(run), tmp_path) == saved(whole, tmp_path)


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    train = rows("regressor")
    params = {"predictor_type": "regressor", "epochs": 2}
    found = {saved(trained(params, train, seed=seed)[0], tmp_path) for seed in (0, 1, 0)}
    assert len(found) == 2


def test_a_channel_larger_than_a_window_trains_as_one_that_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train, validation = halves("binary_classifier")
    params = {"predictor_type": "binary_classifier", "num_models": 4}
    kept, _ = trained(params, train, validation)
    monkeypatch.setattr("clary.algorithms.linear_learner.minibatches._WINDOW_BYTES", 2**14)
    streamed, heard = trained(params, train, validation)
    losses = [
        log_loss(validation.label, model.predict(validation)["score"].astype(float))
        for model in (streamed, kept)
    ]
    # Rows are shuffled within windows, so that the order differs; there are but 284
    assert losses[0] == pytest.approx(losses[1], rel=0.1)
    assert heard.epochs > 1


@pytest.mark.parametrize("kind", [*KINDS, "sparse"])
def test_a_training_goes_on_from_its_checkpoint_as_if_never_ended(
    kind: str, tmp_path: Path
) -> None:
    real = "binary_classifier" if kind == "sparse" else kind
    train, validation = (words(2000, 400), words(500, 400, 1)) if kind == "sparse" else halves(kind)
    params = {"predictor_type": real, "epochs": 6, "num_models": 6}
    whole, _ = trained(params, train, validation)

    class Killed(Exception):
        pass

    def kill(step: int) -> None:
        if step == 2:
            raise Killed

    (tmp_path / "states").mkdir()
    with pytest.raises(Killed):
        trained(params, train, validation, checkpoints=Checkpoints(tmp_path / "states", kill))
    later, heard = trained(params, train, validation, checkpoints=Checkpoints(tmp_path / "states"))
    assert any("checkpoint of epoch 2" in line for line in heard.lines)
    assert saved(later, tmp_path / "later") == saved(whole, tmp_path / "whole")


def test_a_finished_training_only_answers_again(tmp_path: Path) -> None:
    train, validation = halves("binary_classifier")
    params = {"predictor_type": "binary_classifier", "epochs": 3, "num_models": 2}
    (tmp_path / "states").mkdir()
    keeping = Checkpoints(tmp_path / "states")
    once, _ = trained(params, train, validation, checkpoints=keeping)
    again, heard = trained(params, train, validation, checkpoints=keeping)
    assert heard.epochs == 0
    assert saved(again, tmp_path / "again") == saved(once, tmp_path / "once")


def test_a_training_that_is_asked_to_end_keeps_what_it_has() -> None:
    train, validation = halves("binary_classifier")
    stopping = Event()
    endless = {
        "predictor_type": "binary_classifier",
        "epochs": 1_000_000,
        "early_stopping_patience": 1_000_000,
        "num_models": 2,
    }

    class Ending:
        def save(self, step: int, write: Any) -> None:
            if step == 3:
                stopping.set()

        def latest(self) -> None:
            return None

    model, heard = trained(endless, train, validation, stopping=stopping, checkpoints=Ending())
    assert heard.epochs <= 6
    assert np.mean(model.predict(validation)["predicted_label"] == validation.label) > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_channel_is_where_training_begins(kind: str, tmp_path: Path) -> None:
    train, validation = halves(kind)
    params = {"predictor_type": kind, "epochs": 15}
    first, _ = trained(params, train, validation)
    first.save(tmp_path)
    still = {**params, "epochs": 1, "num_models": 1, "learning_rate": 1e-9}
    second, _ = trained(still, train, validation, initial_model=tmp_path)
    np.testing.assert_allclose(
        second.predict(validation)["score"],
        first.predict(validation)["score"],
        rtol=1e-3,
        atol=1e-4,
    )
