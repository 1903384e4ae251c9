"""Mini-batches: rows shuffled, scaled and with a column for the bias, dense or sparse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from clary.algorithms.linear_learner.labels import Labelling
from clary.algorithms.linear_learner.scaling import Scaling
from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.errors import CallerError
from clary.kit.parallel import ordered_map

Floats: TypeAlias = npt.NDArray[np.float32]
Integers: TypeAlias = npt.NDArray[np.intp]

_WINDOW_BYTES = 32 * 2**20
# What is worth handing to another thread
_TASK_BYTES = 2**20


@dataclass(frozen=True)
class MiniBatch:
    """Scaled rows.

    features: (rows, width + 1) dense, the last column ones, or CSR over the `touched` columns only.
    label: (rows,), or (rows, outputs) for several labels; weights: (rows,) or None, meaning 1.
    touched: the columns that occur, ascending, for sparse rows; None means all.
    """

    features: Floats | csr_array
    label: Floats
    weights: Floats | None
    touched: Integers | None = None

    @property
    def rows(self) -> int:
        return int(self.features.shape[0])

    @property
    def weight(self) -> float:
        """Sum of the rows' weights."""
        return self.rows if self.weights is None else float(self.weights.sum(dtype=np.float64))


@dataclass(frozen=True)
class Preparation:
    """How rows become mini-batches; the same for training and for scoring.

    row_bytes: what a row takes in memory, from a sample.
    sparse: rows stay sparse.
    """

    scaling: Scaling
    labelling: Labelling
    bias: bool
    sparse: bool
    row_bytes: int

    def windows(
        self, channel: Channel, rows: int, epoch: int = 0, seed: tuple[int, ...] | None = None
    ) -> Iterator[list[MiniBatch]]:
        """The channel in lists of mini-batches of `rows` rows, as many as fit a fixed memory.

        With a seed, rows are shuffled within each list.

        Raises:
            CallerError: a row does not fit, or a label is not what the predictor takes.
        """
        window_rows = rows * max(1, _WINDOW_BYTES // (self.row_bytes * rows))
        first = 0
        for number, batch in enumerate(channel.batches(window_rows, epoch)):
            check_features(batch, self.scaling.width, channel.name, first)
            labels = self.labelling.checked(batch, channel.name, first)
            order = None
            if seed is not None:
                order = np.random.default_rng((*seed, epoch, number)).permutation(batch.rows)
            some = max(1, _TASK_BYTES // (self.row_bytes * rows)) * rows
            cut = _Cut(self, batch, labels, order, rows)
            tasks = (
                range(at, min(at + some, batch.rows), rows) for at in range(0, batch.rows, some)
            )
            yield list(chain.from_iterable(ordered_map(cut, tasks)))
            first += batch.rows


@dataclass(frozen=True)
class _Cut:
    """Makes the mini-batches that start at some rows of a window."""

    preparation: Preparation
    window: Batch
    labels: Floats
    order: Integers | None
    rows: int

    def __call__(self, starts: range) -> list[MiniBatch]:
        return [self._at(start) for start in starts]

    def _at(self, start: int) -> MiniBatch:
        stop = min(start + self.rows, self.window.rows)
        chosen = slice(start, stop) if self.order is None else self.order[start:stop]
        features, touched = self._features(chosen)
        label = self.labels[chosen]
        weights = self.preparation.labelling.weights(label)
        if self.window.weights is not None:
            given = self.window.weights[chosen]
            weights = given if weights is None else weights * given
        return MiniBatch(features, self.preparation.scaling.label(label), weights, touched)

    def _features(self, chosen: slice | Integers) -> tuple[Floats | csr_array, Integers | None]:
        rows = self.window.features[chosen]
        if self.preparation.sparse:
            return self._sparse(csr_array(rows))
        dense = rows if isinstance(rows, np.ndarray) else rows.toarray()
        return self._dense(dense), None

    def _dense(self, rows: Floats) -> Floats:
        scaling, bias = self.preparation.scaling, int(self.preparation.bias)
        out = np.ones((len(rows), scaling.width + bias), dtype=np.float32)
        inner = out[:, : scaling.width]
        if rows.shape[1] < scaling.width:  # sparse rows of a format without a declared width
            rows = np.pad(rows, ((0, 0), (0, scaling.width - rows.shape[1])))
        np.subtract(rows, scaling.mean, out=inner)
        inner *= scaling.inverse
        return out

    def _sparse(self, rows: csr_array) -> tuple[csr_array, Integers]:
        scaling = self.preparation.scaling
        values, columns, ends = rows.data * scaling.inverse[rows.indices], rows.indices, rows.indptr
        if self.preparation.bias:
            values = np.insert(values, ends[1:], np.float32(1))
            columns = np.insert(columns, ends[1:], scaling.width)
            ends = ends + np.arange(len(ends), dtype=ends.dtype)
        present = np.zeros(scaling.width + 1, dtype=bool)
        present[columns] = True
        touched = np.flatnonzero(present)
        place = np.cumsum(present, dtype=np.int32) - 1
        shape = (rows.shape[0], len(touched))
        return csr_array((values, place[columns], ends), shape=shape), touched


def check_features(batch: Batch, width: int, channel: str, first: int) -> None:
    """Refuse rows of another width, and NaN or infinite features.

    `first` is the number of rows before these in the channel.
    """
    narrower = batch.is_sparse and batch.width < width
    if batch.width != width and not narrower:
        raise CallerError.of(
            f"channel {channel}",
            f"its rows must have {width} features",
            batch.width,
            "Check feature_dim, and that the label comes first.",
        )
    values = batch.features if isinstance(batch.features, np.ndarray) else batch.features.data
    # One bad value makes the sum bad; a good sum saves looking at each
    if not np.isfinite(values.sum(dtype=np.float64)):
        dense = batch.dense()
        row, column = (int(one[0]) for one in np.nonzero(~np.isfinite(dense)))
        raise CallerError.of(
            f"channel {channel}, row {first + row + 1}, feature {column + 1}",
            "must be a finite number",
            float(dense[row, column]),
        )
