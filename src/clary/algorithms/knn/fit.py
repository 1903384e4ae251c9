"""K-nearest neighbors in three steps: sample, reduce, index.

Each of w hosts keeps a uniform sample of sample_size / w of its rows, reduced as they come in; all
samples together are put into a faiss index: M. Douze et al., "The Faiss library" (2024).
"""

from __future__ import annotations

import math
import time
from typing import TypeAlias

import numpy as np

from clary.algorithms.knn.exact import squared_lengths
from clary.algorithms.knn.index import built
from clary.algorithms.knn.model import KNNModel, unit_rows
from clary.algorithms.knn.nearest import Floats
from clary.algorithms.knn.reduction import Reduction
from clary.algorithms.knn.sample import Reservoir, dense, finite_labels
from clary.algorithms.knn.spec import KNNHyperparameters
from clary.errors import CallerError
from clary.kit.parallel import one_thread_blas
from clary.kit.run import Run
from clary.kit.width import features_of, settle_feature_dim

KNNRun: TypeAlias = Run[KNNHyperparameters]

# faiss asks for so many rows a cell to place the cells well
_ROWS_A_CELL = 39


def fit(run: KNNRun) -> KNNModel:
    """Keep a sample of the rows of train.

    Raises:
        CallerError: rows are not of one width or lack a label, or are too few for k or the index.
    """
    width = settle_feature_dim(run, run.train.sample(1))
    draw, keep, learn = run.rng.spawn(3)
    reduction = _reduction(run, width, draw)
    rows, labels = _sampled(run, width, reduction, keep)
    _check_k(run, len(rows))
    _settle(run, len(rows))
    if run.params.predictor_type == "classifier" and (labels != np.floor(labels)).any():
        run.log("labels are not whole numbers: each different number is a class")
    rows = _padded(run, rows)
    squared_lengths(rows)
    normalize = run.params.index_metric == "COSINE"
    if normalize:
        rows = unit_rows(rows)
    index = built(run.params, rows, int(learn.integers(2**31 - 1)))
    run.log(f"index: {run.params.index_type} of {index.ntotal:,} rows of {index.d} numbers")
    leave_out = "test" not in run.channels
    return KNNModel(run.params, index, labels, reduction, normalize, leave_out=leave_out)


def _reduction(run: KNNRun, width: int, rng: np.random.Generator) -> Reduction | None:
    """The projection; its dimensions are a multiple of the parts that a row is coded in.

    Raises:
        CallerError: it would not be to fewer dimensions.
    """
    params = run.params
    if params.dimension_reduction_type is None or params.dimension_reduction_target is None:
        return None
    target = _multiple(params, params.dimension_reduction_target)
    if target >= width:
        name = "dimension_reduction_target"
        rule = f"must be below feature_dim, {width}"
        if target != params.dimension_reduction_target:
            rule += f", as a multiple of faiss_index_pq_m={params.faiss_index_pq_m}"
        raise CallerError.of(name, rule, target)
    if target != params.dimension_reduction_target:
        run.resolved(dimension_reduction_target=target)
    return Reduction(params.dimension_reduction_type, int(rng.integers(2**31 - 1)), target, width)


def _sampled(
    run: KNNRun, width: int, reduction: Reduction | None, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """The rows, reduced, and the labels that all hosts keep: (rows, numbers), (rows,)."""
    cluster, size = run.cluster, run.params.sample_size
    if size is not None:
        size = size // cluster.size + (cluster.rank < size % cluster.size)
    kept_width = reduction.target if reduction else width
    reservoir = Reservoir(
        size,
        kept_width,
        rng.spawn(cluster.size)[cluster.rank],
        reduction.of if reduction else dense,
    )
    with one_thread_blas():
        _read(run, width, reservoir)
    run.log(f"sample: {len(reservoir.labels):,} rows of this host")
    rows, labels = cluster.gather(reservoir.rows), cluster.gather(reservoir.labels)
    if len(rows) == 1:
        return rows[0], labels[0]
    return np.concatenate(rows), np.concatenate(labels)


def _read(run: KNNRun, width: int, reservoir: Reservoir) -> None:
    """Pass this host's rows by; of rows that every host reads, each takes those of its turn."""
    cluster, started, seen = run.cluster, time.perf_counter(), 0
    for batch, before in run.train.numbered(run.params.mini_batch_size):
        features = features_of(batch, width, run.train.name)
        labels = finite_labels(batch, run.train.name, before)
        mine = slice(None)
        if not run.train.sharded:
            mine = slice((cluster.rank - before) % cluster.size, None, cluster.size)
        if batch.weights is not None and not before:
            run.log("weights of rows: no effect, all neighbors count the same")
        reservoir.add(features[mine], labels[mine])
        seen = before + batch.rows
        if run.stop:
            run.log(f"stopped after {seen} rows; the sample is of these")
            break
    run.progress(100.0)
    run.throughput(seen / max(time.perf_counter() - started, 1e-9))


def _check_k(run: KNNRun, rows: int) -> None:
    if run.params.k > rows:
        raise CallerError.of(
            "k", f"must be at most the rows that were sampled, {rows}", run.params.k
        )


def _settle(run: KNNRun, rows: int) -> None:
    if run.params.sample_size is None:
        run.resolved(sample_size=rows)
    if run.params.index_type == "faiss.Flat":
        return
    if run.params.faiss_index_ivf_nlists == "auto":
        run.resolved(faiss_index_ivf_nlists=math.isqrt(rows))
    cells = int(run.params.faiss_index_ivf_nlists)
    if rows < _ROWS_A_CELL * cells:
        run.log(
            f"faiss_index_ivf_nlists: {cells} cells of {rows} rows are placed roughly; "
            f"from {_ROWS_A_CELL * cells} rows on they are placed well"
        )


def _padded(run: KNNRun, rows: Floats) -> Floats:
    """With zeros, which change no distance, up to a multiple of the parts."""
    more = _multiple(run.params, rows.shape[1]) - rows.shape[1]
    return np.pad(rows, ((0, 0), (0, more))) if more else rows


def _multiple(params: KNNHyperparameters, width: int) -> int:
    parts = params.faiss_index_pq_m or 1
    return -(-width // parts) * parts if params.index_type == "faiss.IVFPQ" else width
