"""Channels to the engine's matrices.

Rows to train on are handed to the engine block by block, so that no second copy of the data is
made: memory is that of the rows and of the engine's one byte a value. A matrix of quantile bins
made of many blocks is the same, bit for bit, as one made of all rows at once. Rows to score are
given as values: of sparse bins the engine predicts thirty times slower.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xgboost
from scipy.sparse import csr_matrix

from clary.codecs.batch import Batch, Floats, concatenate
from clary.data.channel import Channel
from clary.errors import CallerError, Fault
from clary.kit.cluster import Cluster

_BLOCK_ROWS = 1 << 16
_PIECE_VALUES = 1 << 21


@dataclass
class Rows:
    """All rows of a channel, decoded, in blocks; on several hosts there may be none here."""

    channel: str
    blocks: list[Batch]
    width: int

    @property
    def count(self) -> int:
        return sum(block.rows for block in self.blocks)

    @property
    def label(self) -> Floats:
        """(rows,), or (rows, 2) for intervals."""
        found = [block.labels() for block in self.blocks]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.float32)

    @property
    def weights(self) -> Floats | None:
        found = [block.weights for block in self.blocks if block.weights is not None]
        return np.concatenate(found) if found else None

    @property
    def is_sparse(self) -> bool:
        return all(block.is_sparse for block in self.blocks)

    @property
    def has_queries(self) -> bool:
        return any("qid" in block.extras for block in self.blocks)

    def joined(self) -> Batch:
        """The rows as one batch, which takes the place of the blocks."""
        self.blocks = [concatenate([_widened(block, self.width) for block in self.blocks])]
        return self.blocks[0]


def read(channel: Channel, cluster: Cluster, stopped: Callable[[], bool]) -> Rows:
    """The rows of a channel. Sparse rows, which do not say how wide they are, get one width.

    Raises:
        CallerError: there are none on any host, or they cannot be read.
    """
    blocks = []
    for block in channel.batches(_BLOCK_ROWS):
        if block.rows:
            blocks.append(block)
        if stopped():
            break
    width = max((block.width for block in blocks), default=0)
    if cluster.size > 1:
        width = int(max(part[0] for part in cluster.gather(np.array([width]))))
    if width == 0:
        raise CallerError.of(f"channel {channel.name}", "holds no rows")
    for block in blocks:
        if not block.is_sparse and block.width != width:
            raise _uneven(channel.name, width, block.width)
    return Rows(channel.name, blocks, width)


def fitted(rows: Rows, width: int) -> Rows:
    """The rows with as many features as the training's.

    Raises:
        CallerError: they have more, or are not sparse and have fewer.
    """
    narrower = rows.width < width and rows.is_sparse
    if rows.width != width and not narrower:
        raise _uneven(rows.channel, width, rows.width)
    return replace(rows, width=width)


def quantile_matrix(rows: Rows, objective: str, max_bin: int, threads: int) -> xgboost.DMatrix:
    """A matrix of quantile bins."""
    rest = {"max_bin": max_bin, "nthread": threads}
    if rows.has_queries:
        return xgboost.QuantileDMatrix(**_arguments(rows.joined(), rows.width, objective), **rest)
    return xgboost.QuantileDMatrix(_Blocks(rows, objective), **rest)


def value_matrix(rows: Rows, objective: str, threads: int) -> xgboost.DMatrix:
    """A matrix of the values themselves."""
    batch = rows.joined() if rows.blocks else _no_rows(rows.width)
    return xgboost.DMatrix(**_arguments(batch, rows.width, objective), nthread=threads)


class _Blocks(xgboost.DataIter):  # type: ignore[misc]
    """The blocks, over and over as the engine asks for them.

    Dense rows are cut into smaller pieces and told as sparse ones that lack nothing, which the
    engine sorts into bins a quarter faster.
    """

    def __init__(self, rows: Rows, objective: str) -> None:
        super().__init__()
        self._width = rows.width
        self._objective = objective
        self._piece_rows = max(1, _PIECE_VALUES // rows.width)
        self._columns = np.tile(np.arange(rows.width, dtype=np.int32), self._piece_rows)
        blocks = rows.blocks or [_no_rows(rows.width)]
        self._pieces = [piece for block in blocks for piece in self._cut(block)]
        self._next = 0

    def reset(self) -> None:
        self._next = 0

    def next(self, input_data: Callable[..., None]) -> bool:
        if self._next == len(self._pieces):
            return False
        piece = self._pieces[self._next]
        arguments = _arguments(piece, self._width, self._objective)
        if not piece.is_sparse:
            arguments["data"] = self._told_as_sparse(piece.dense())
        input_data(**arguments)
        self._next += 1
        return True

    def _cut(self, block: Batch) -> list[Batch]:
        if block.is_sparse:
            return [block]
        starts = range(0, max(1, block.rows), self._piece_rows)
        return [block.slice(start, start + self._piece_rows) for start in starts]

    def _told_as_sparse(self, x: Floats) -> csr_matrix:
        values = x.reshape(-1)
        # Of the columns' type, else scipy would copy both
        starts = np.arange(0, len(values) + 1, self._width, dtype=np.int32)
        return csr_matrix((values, self._columns[: len(values)], starts), shape=x.shape, copy=False)


def _arguments(batch: Batch, width: int, objective: str) -> dict[str, Any]:
    """The engine's names for what a batch holds. An absent entry of a sparse row is missing."""
    found = {"data": engine_features(batch, width), **_labels(batch.labels(), objective)}
    if "qid" in batch.extras and objective.startswith("rank:"):
        found["qid"] = batch.extras["qid"]
    if batch.weights is not None:
        found["weight"] = _by_query(batch) if "qid" in found else batch.weights
    return found


def engine_features(batch: Batch, width: int) -> Any:
    """The features as the engine takes them, sparse ones with `width` columns."""
    if isinstance(batch.features, np.ndarray):
        return batch.features
    x = batch.features
    return csr_matrix((x.data, x.indices, x.indptr), shape=(batch.rows, width), copy=False)


def _labels(label: Floats, objective: str) -> dict[str, Floats]:
    """The engine's names for labels, which survival:aft takes as intervals.

    One column is the time of the event or, as survival:cox has it, minus the time at which it had
    not yet happened; two columns are the ends.
    """
    if objective != "survival:aft":
        return {"label": label}
    if label.ndim == 2:
        low, high = label[:, 0], label[:, 1]
    else:
        low, high = np.abs(label), np.where(label > 0, label, np.float32(np.inf))
    return {
        "label_lower_bound": np.ascontiguousarray(low),
        "label_upper_bound": np.ascontiguousarray(high),
    }


def _by_query(batch: Batch) -> Floats:
    """One weight a query, as the engine wants them: that of its rows.

    Raises:
        CallerError: the rows of a query have different weights.
    """
    assert batch.weights is not None
    qid = np.asarray(batch.extras["qid"])
    starts = np.flatnonzero(np.r_[True, qid[1:] != qid[:-1]])
    weights = batch.weights[starts]
    sizes = np.diff(np.r_[starts, len(qid)])
    wrong = np.flatnonzero(np.repeat(weights, sizes) != batch.weights)
    if len(wrong):
        query = qid[wrong[0]]
        raise CallerError(
            Fault("weights", "must be the same in all rows of a query", f"qid {query}")
        )
    return weights


def _widened(batch: Batch, width: int) -> Batch:
    if batch.is_sparse and batch.width < width:
        x = batch.sparse()
        wide = type(x)((x.data, x.indices, x.indptr), shape=(batch.rows, width))
        return replace(batch, features=wide)
    return batch


def _no_rows(width: int) -> Batch:
    return Batch(np.zeros((0, width), np.float32), np.zeros(0, np.float32))


def _uneven(channel: str, width: int, got: int) -> CallerError:
    return CallerError.of(f"channel {channel}", f"must have {width} features a row", got)
