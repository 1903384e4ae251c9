"""A trained random cut forest, which may follow a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Self

import numpy as np

from clary.algorithms.randomcutforest.artifact import (
    hyperparameters_of,
    read_last_rows,
    read_state,
    write_state,
)
from clary.algorithms.randomcutforest.figures import series, spread
from clary.algorithms.randomcutforest.filling import Forecast, forecast, imputed
from clary.algorithms.randomcutforest.forest import Forest
from clary.algorithms.randomcutforest.quality import counted, labels_of, remark, scores_of
from clary.algorithms.randomcutforest.shingles import Shingles
from clary.algorithms.randomcutforest.spec import ALGORITHM, RandomCutForestHyperparameters
from clary.algorithms.randomcutforest.threshold import Threshold
from clary.algorithms.randomcutforest.trees import Doubles, Floats
from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.errors import CallerError, Fault, raise_all
from clary.kit.figures import Figure
from clary.kit.model import Model, Outputs, StreamModel, check_width
from clary.kit.width import widened
from clary.spec.algorithm import Algorithm
from clary.spec.hyperparameters import Hyperparameters

_BATCH_ROWS, _SCORED_ROWS = 8192, 4096
# A stream's first scores would be of hardly any rows: none is told before this share of a sample
_READY = 0.25


class RandomCutForestModel(StreamModel):
    """forest: over points of `feature_dim` times `shingle_size` numbers.

    threshold: which scores are anomalous. shingles: the last rows, which the next ones go on from.
    """

    algorithm: ClassVar[Algorithm] = ALGORITHM
    params: RandomCutForestHyperparameters

    def __init__(
        self,
        params: RandomCutForestHyperparameters,
        forest: Forest,
        threshold: Threshold,
        last_rows: Floats | None = None,
    ) -> None:
        self.params = params
        self.forest = forest
        self.threshold = threshold
        rows = np.zeros((0, 0), np.float32) if last_rows is None else last_rows
        self.shingles = Shingles(params.shingle_size, self.width, rows)
        self._remarks: list[str] = []
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        # scikit-learn's searches send estimators to other processes, where a lock cannot go
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()

    @classmethod
    def empty(cls, params: Hyperparameters, seed: int = 0) -> Self:
        assert isinstance(params, RandomCutForestHyperparameters)
        width = int(params.feature_dim or 1) * params.shingle_size
        capacity = params.num_samples_per_tree
        rng = np.random.default_rng(seed)
        return cls(params, Forest.empty(params.num_trees, capacity, width, rng), Threshold())

    @property
    def width(self) -> int:
        return self.forest.width // self.params.shingle_size

    @property
    def limit(self) -> float:
        """The score above which a row is anomalous; of the rows in the trees, if none was told."""
        if self.threshold.weight or not self.forest.trees.held.any():
            return self.threshold.value
        trees = self.forest.trees
        return Threshold.of(self.forest.scores(trees.points[trees.copies > 0][:_SCORED_ROWS])).value

    def following(self) -> Model:
        return self if self.params.shingle_size == 1 else _Following(self)

    def predict(self, batch: Batch) -> Outputs:
        """The rows of a batch are one series: with shingles, the first rows score 0."""
        return {"score": self._scores(batch, self._new_shingles()).astype(np.float32)}

    def answered(self, batch: Batch, *, verbose: bool, update: bool) -> Outputs:
        """The answer to a request.

        verbose: attributions as well. update: the rows go into the forest once they are scored.
        """
        if not update:
            return self._told(batch, verbose, self._new_shingles())
        with self._lock:
            parts = [self.follow(row, verbose=verbose) for row in self._dense(batch)]
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}

    def follow(self, row: Floats, *, verbose: bool = False) -> Outputs:
        """As `update`; attributions are 0 as long as scores are."""
        self.check(row)
        told: dict[str, Any] = {}
        if verbose:
            shares = self._attributions(Batch(row[None]), self.shingles.copy())
            told["attribution"] = (shares[0].sum(axis=0) * self.is_ready).astype(np.float32)
        return {"score": np.float32(self.update(row)), **told}

    def changed(self, given: Mapping[str, Any]) -> None:
        """Only `time_decay` can be changed."""
        wanted = RandomCutForestHyperparameters.parse({**self.params.values(), **given})
        known = self.params.values()
        raise_all(
            Fault(name, f"the model has {known[name]}, which cannot be changed", value)
            for name, value in wanted.values().items()
            if value != known[name] and name != "time_decay"
        )
        self.params = self.params.having(time_decay=wanted.time_decay)

    def attributions(self, batch: Batch, *, lags: bool = False) -> Doubles:
        """(rows, width): what each feature adds to the score.

        lags: what each feature of each row of the shingle adds, (rows, shingle_size, width), the
        oldest row first.
        """
        found = self._attributions(batch, self._new_shingles())
        return found if lags else found.sum(axis=1)

    def update(self, row: Floats, *, score: bool = True) -> float:
        """The score of the next row, (width,), of the stream, which then goes into the forest.

        It is 0 as long as there are not enough rows before it; without `score` it is 0, too, and
        the threshold stays as it is.

        Raises:
            CallerError: the row is not of the model's width, or a number in it is not finite.
        """
        self.check(row)
        points, _ = self.shingles.add(np.array(row[None], np.float32))
        if not len(points):
            return 0.0
        told = 0.0
        if score and self.is_ready:
            told = float(self.forest.scores(points)[0])
            self.threshold.add(told, self.params.time_decay)
        self.forest.enlarge(self.params.num_samples_per_tree)
        self.forest.follow(points[0], self.params.time_decay)
        return told

    def imputed(self, rows: Floats) -> Floats:
        """The rows, (rows, width), with what is missing (NaN) filled in.

        Raises:
            CallerError: they are of another width, or the forest has seen no row yet.
        """
        check_width(self, Batch(rows))
        self._want_rows()
        return imputed(self.forest.trees, rows, self.params.shingle_size)

    def forecast(self, horizon: int) -> Forecast:
        """The next rows of the series.

        Raises:
            CallerError: the model has no shingles, or has not seen a whole one yet.
        """
        size = self.params.shingle_size
        if size == 1:
            raise CallerError.of(
                "shingle_size", "must be at least 2 for a forecast", size, "Rows are no series."
            )
        self._want_rows()
        if len(self.shingles.held) < size - 1:
            seen = len(self.shingles.held)
            raise CallerError.of("forecast", f"needs {size - 1} rows before it", seen)
        return forecast(self.forest.trees, self.shingles.held, size, horizon)

    @property
    def is_ready(self) -> bool:
        """Whether the forest has seen enough rows to tell scores."""
        return self.forest.seen >= max(1, _READY * self.params.num_samples_per_tree) or (
            self.forest.seen > 0 and bool(self.threshold.weight)
        )

    def evaluate(self, channel: Channel) -> dict[str, float]:
        counts, shingles = np.zeros((2, 2)), self._new_shingles()
        for batch, before in channel.numbered(_BATCH_ROWS):
            label = labels_of(batch, channel.name, before)
            counts += counted(label, self._scores(batch, shingles) > self.limit)
        self._remarks = [text for text in [remark(counts)] if text]
        return scores_of(counts, self.params.eval_metrics)

    def remarks(self) -> Sequence[str]:
        return self._remarks

    def save(self, folder: Path) -> None:
        self.forest.save(folder)
        numbers = {"seen": self.forest.seen, "clock": self.forest.clock, **asdict(self.threshold)}
        write_state(folder, self.params, numbers, self.shingles.held)

    @classmethod
    def load(cls, folder: Path, params: Mapping[str, Any] | None = None) -> Self:
        state, forest = read_state(folder), Forest.load(folder)
        found = {**hyperparameters_of(state), "num_trees": len(forest.states)}
        settled = RandomCutForestHyperparameters.parse({**(params or {}), **found})
        if forest.width != (settled.feature_dim or 0) * settled.shingle_size:
            raise CallerError.of(f"model {folder}", "its points are not of feature_dim numbers")
        forest.seen, forest.clock = int(state["seen"]), float(state["clock"])
        threshold = Threshold(state["mean"], state["variance"], state["weight"])
        return cls(settled, forest, threshold, read_last_rows(folder, settled))

    @classmethod
    def recognizes(cls, folder: Path) -> bool:
        try:
            return bool(read_state(folder))
        except CallerError:
            return False

    def summary(self) -> dict[str, Any]:
        counts = self.forest.trees.held
        return {
            "features": self.width,
            "shingle_size": self.params.shingle_size,
            "trees": len(counts),
            "samples_per_tree": int(counts.max()),
            "rows_seen": self.forest.seen,
            "mean_score": self.threshold.mean,
            "threshold": self.limit if self.forest.trees.held.any() else None,
        }

    def figures(self, held_out: Batch | None) -> list[Figure]:
        if held_out is None or not held_out.rows:
            return []
        scores = self._scores(held_out, self._new_shingles())
        # Rows that are too early for a score would be a bar of their own at 0
        early = min(self.params.shingle_size - 1, len(scores) - 1)
        label = None if held_out.label is None else held_out.label[early:]
        shown = series(self._dense(held_out), scores, self.limit)
        return [*shown, spread(scores[early:], self.limit, label)]

    def _told(self, batch: Batch, verbose: bool, shingles: Shingles) -> dict[str, Any]:
        attribution = self._attributions(batch, shingles.copy()) if verbose else None
        told = {"score": self._scores(batch, shingles).astype(np.float32)}
        if attribution is not None:
            told["attribution"] = attribution.sum(axis=1).astype(np.float32)
        return told

    def _scores(self, batch: Batch, shingles: Shingles) -> Doubles:
        return np.concatenate(
            [
                np.concatenate([np.zeros(early), self.forest.scores(points)])
                for points, early in self._points(batch, shingles)
            ]
            or [np.zeros(0)]
        )

    def _attributions(self, batch: Batch, shingles: Shingles) -> Doubles:
        """(rows, shingle_size, width)"""
        shape = -1, self.params.shingle_size, self.width
        parts = [
            np.concatenate([np.zeros((early, points.shape[1])), self.forest.attributions(points)])
            for points, early in self._points(batch, shingles)
        ]
        return np.concatenate(parts or [np.zeros((0, self.forest.width))]).reshape(shape)

    def _points(self, batch: Batch, shingles: Shingles) -> Iterator[tuple[Floats, int]]:
        """Points, some thousand at a time, so that sparse rows need not all be dense at once."""
        check_width(self, batch)
        for start in range(0, batch.rows, _BATCH_ROWS):
            yield shingles.add(self._dense(batch.slice(start, start + _BATCH_ROWS)))

    def _dense(self, batch: Batch) -> Floats:
        check_width(self, batch)
        return Batch(widened(batch.features, self.width)).dense()

    def _new_shingles(self) -> Shingles:
        return Shingles(self.params.shingle_size, self.width)

    def _want_rows(self) -> None:
        if not self.forest.trees.held.any():
            raise CallerError.of("model", "has seen no row yet")

    def check(self, row: Floats) -> None:
        """Refuse what cannot be the next row of a stream.

        Raises:
            CallerError: it is not of the model's width, or a number in it is not finite.
        """
        if row.shape != (self.width,):
            raise CallerError.of("row", f"must have {self.width} features", row.size)
        if not np.isfinite(row).all():
            raise CallerError.of("row", "every number must be finite", str(row.tolist()))


class _Following(RandomCutForestModel):
    """The same model, for which the rows of all calls of `predict` are one series."""

    def __init__(self, model: RandomCutForestModel) -> None:
        super().__init__(model.params, model.forest, model.threshold)
        self._origin = model

    def predict(self, batch: Batch) -> Outputs:
        return self._told(batch, False, self.shingles)

    def answered(self, batch: Batch, *, verbose: bool, update: bool) -> Outputs:
        if update:
            return self._origin.answered(batch, verbose=verbose, update=True)
        return self._told(batch, verbose, self.shingles)
