"""What a training needs to go on after a kill: the model, and what was seen on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import xgboost

from clary.algorithms.xgboost.boosting import Scores, Watch
from clary.errors import CallerError
from clary.kit.run import Run

# Values of every round by data set and metric
Curves: TypeAlias = dict[str, dict[str, list[float]]]

_PROGRESS = "progress.json"
_BEST = "best-model"
# Writing may take one part of so many of the time
_WRITING_SHARE = 10


class Progress:
    """The rounds done so far."""

    def __init__(self, watch: Watch | None) -> None:
        self.rounds = 0
        self.curves: Curves = {}
        self.watch = watch
        self._quiet_until = 0.0

    def add(self, scores: Scores) -> None:
        """Take note of one more round."""
        self.rounds += 1
        for channel, found in scores.items():
            for name, value in found.items():
                self.curves.setdefault(channel, {}).setdefault(name, []).append(value)

    def save(self, run: Run[Any], booster: xgboost.Booster, at_once: bool = False) -> None:
        """Keep the leader's state as a checkpoint, if enough time has passed since the last."""
        began = time.monotonic()
        if not run.cluster.is_leader or (began < self._quiet_until and not at_once):
            return
        run.checkpoints.save(self.rounds, lambda folder: self._write(folder, booster))
        ended = time.monotonic()
        self._quiet_until = ended + (ended - began) * (_WRITING_SHARE - 1)

    def resume(self, run: Run[Any]) -> bytes:
        """Go on from the leader's newest checkpoint: the bytes of its model, or none."""
        found = run.checkpoints.latest() if run.cluster.is_leader else None
        state = run.cluster.broadcast(_read(*found) if found else None)
        if state is None:
            return b""
        self.rounds, self.curves = state["rounds"], state["curves"]
        if self.watch and state["best_round"] is not None:
            self.watch.best_round, self.watch.best_score = state["best_round"], state["best_score"]
            self.watch.best_model = _sent(run, found[1] / _BEST if found else None)
        run.log(f"going on from the checkpoint after round {self.rounds}")
        return _sent(run, found[1] / _name(found[0]) if found else None)

    def _write(self, folder: Path, booster: xgboost.Booster) -> None:
        watch = self.watch
        state = {
            "rounds": self.rounds,
            "curves": self.curves,
            "best_round": watch.best_round if watch else None,
            "best_score": watch.best_score if watch else None,
        }
        (folder / _PROGRESS).write_text(json.dumps(state))
        (folder / _name(self.rounds)).write_bytes(booster.save_raw("ubj"))
        if watch:
            (folder / _BEST).write_bytes(watch.best_model)


def _name(step: int) -> str:
    return f"xgboost-checkpoint.{step}"


def _read(step: int, folder: Path) -> Mapping[str, Any]:
    try:
        state: dict[str, Any] = json.loads((folder / _PROGRESS).read_text())
        if not (folder / _name(step)).is_file() or state["rounds"] != step:
            raise KeyError(step)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CallerError.of(
            f"checkpoint {folder}", "is damaged or foreign", remedy="Delete it to start anew."
        ) from error
    return state


def _sent(run: Run[Any], path: Path | None) -> bytes:
    """The leader's file on every host."""
    content = path.read_bytes() if path and path.exists() else b""
    sent: bytes = run.cluster.broadcast(np.frombuffer(content, dtype=np.uint8)).tobytes()
    return sent
