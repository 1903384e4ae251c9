"""An algorithm of a third party, for tests: the decayed mean of each column, over some epochs.

The state after each epoch depends on order, on randomness and on all epochs before, so that a
resumed training shows whether it went on where it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.errors import CallerError
from clary.kit.figures import Bars, Figure
from clary.kit.model import Model, Outputs, check_width
from clary.kit.run import Run
from clary.spec.algorithm import Algorithm, Example
from clary.spec.channels import ChannelSpec
from clary.spec.hyperparameters import Hyperparameters, integer, number
from clary.spec.jumpstart import JumpStartModel
from clary.spec.metrics import PROGRESS, quality
from clary.spec.outputs import BEYOND, Inference, Output


class ColumnMeansHyperparameters(Hyperparameters):
    feature_dim: int | None = integer("Columns.", required=True, inferred=True, min=1)
    epochs: int = integer("Passes over train.", default=1, min=1)
    mini_batch_size: int = integer("Rows in a batch.", default=10, min=1)
    decay: float = number("Weight of what was before.", default=0.5, min=0, max=1)
    pause_seconds: float = number("Sleep after each batch.", default=0, min=0)

    ignored: ClassVar[frozenset[str]] = frozenset({"force_dense"})


ALGORITHM = Algorithm(
    name="column-means",
    title="Column means",
    summary="The mean of each column.",
    learning="unsupervised",
    problem_types=("clustering",),
    images=("column-means",),
    hyperparameters=ColumnMeansHyperparameters,
    channels=(
        ChannelSpec("train", "Rows to average.", required=True, label="none", beyond=BEYOND),
        ChannelSpec("test", "Rows to score.", label="none", beyond=BEYOND),
    ),
    metrics=(
        quality("train:norm", "Minimize", "epoch={epoch}, train norm <loss>", "Of the means."),
        quality("test:msd", "Minimize", "test msd <loss>", "Mean squared distance."),
        PROGRESS,
    ),
    inference=Inference(outputs=(Output("distance", "From the means."),)),
    examples=(Example({}),),
    incremental=True,
    options=("greeting",),
    jumpstart=(
        JumpStartModel(
            "means-of-columns",
            "Means of columns",
            {"passes": "2", "decay": "0.25"},
            renamed={"passes": "epochs"},
        ),
    ),
    fit="tests.runtime.column_means:fit",
    model="tests.runtime.column_means:ColumnMeansModel",
)


class ColumnMeansModel(Model):
    algorithm = ALGORITHM

    def __init__(self, means: np.ndarray, params: ColumnMeansHyperparameters) -> None:
        self.means = means
        self.params = params

    @property
    def width(self) -> int:
        return len(self.means)

    def predict(self, batch: Batch) -> Outputs:
        check_width(self, batch)
        return {"distance": np.linalg.norm(batch.dense() - self.means, axis=1)}

    def evaluate(self, channel: Channel) -> dict[str, float]:
        distances = [self.predict(batch)["distance"] for batch in channel.batches(100)]
        return {"test:msd": float(np.mean(np.concatenate(distances) ** 2))}

    def save(self, folder: Path) -> None:
        np.save(folder / "means.npy", self.means)

    @classmethod
    def load(cls, folder: Path, params: Mapping[str, Any] | None = None) -> Self:
        try:
            means = np.load(folder / "means.npy")
        except (OSError, ValueError) as error:
            raise CallerError.of("means.npy", "is damaged") from error
        return cls(means, ColumnMeansHyperparameters.parse(params or {}))

    @classmethod
    def recognizes(cls, folder: Path) -> bool:
        return (folder / "means.npy").exists()

    def summary(self) -> dict[str, Any]:
        return {"means": self.means.tolist()}

    def figures(self, held_out: Batch | None) -> list[Figure]:
        rows = 0 if held_out is None else held_out.rows
        names = [str(i) for i in range(self.width)]
        return [Bars(f"Means, beside {rows} rows", names, self.means.tolist())]


def fit(run: Run[ColumnMeansHyperparameters]) -> ColumnMeansModel:
    run.resolved(feature_dim=run.train.width)
    means, begun = _begin(run)
    for epoch in range(begun, run.params.epochs):
        for batch in run.train.batches(run.params.mini_batch_size, epoch):
            noise = run.rng.normal(0, 1e-3, means.shape)
            fresh = batch.dense().mean(axis=0) + noise
            means = run.params.decay * means + (1 - run.params.decay) * fresh
            time.sleep(run.params.pause_seconds)
            if run.cluster.size == 1 and run.stop:
                run.log("stopped early")
                return ColumnMeansModel(means, run.params)
        run.report("train:norm", float(np.linalg.norm(means)), epoch=epoch)
        run.progress(100 * (epoch + 1) / run.params.epochs)
        run.checkpoints.save(epoch + 1, lambda folder: _write(folder, run, means))  # noqa: B023
        if run.cluster.all_reduce(np.array([int(run.stop)]))[0]:
            run.log("stopped early")
            break
    if run.options.get("greeting"):
        run.log(f"greeting: {run.options['greeting']}")
    return ColumnMeansModel(run.cluster.all_reduce(means) / run.cluster.size, run.params)


def _begin(run: Run[ColumnMeansHyperparameters]) -> tuple[np.ndarray, int]:
    found = run.checkpoints.latest()
    if found:
        step, folder = found
        run.log(f"going on after epoch {step}")
        run.rng.bit_generator.state = json.loads((folder / "rng.json").read_text())
        return np.load(folder / "means.npy"), step
    if run.initial_model:
        return ColumnMeansModel.load(run.initial_model).means, 0
    return np.zeros(run.train.width), 0


def _write(folder: Path, run: Run[ColumnMeansHyperparameters], means: np.ndarray) -> None:
    np.save(folder / "means.npy", means)
    (folder / "rng.json").write_text(json.dumps(run.rng.bit_generator.state))
