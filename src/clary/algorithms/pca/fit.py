"""PCA in one or three passes over the data, for any number of rows.

Stages: choose a shift from the first rows; sum over chunks of rows, on every host its own; add up
the hosts; center; solve.

Regular mode sums the scatter matrix Σ x xᵀ (width² numbers) and takes its top eigenvectors.
Randomized mode sums its product with a random matrix, the sketch, and in two more passes that with
what came out: steps of subspace iteration. Eigenvectors are recovered from that: `nystrom.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from scipy import linalg

from clary.algorithms.pca.model import PCAModel
from clary.algorithms.pca.moments import (
    Floats,
    Numbers,
    Sums,
    chunk_rows,
    is_thin,
    summed,
    thin_chunk_rows,
)
from clary.algorithms.pca.nystrom import drawn, eigenpairs, refined
from clary.algorithms.pca.spec import PCAHyperparameters
from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.kit.parallel import one_thread_blas
from clary.kit.run import Run
from clary.kit.width import features_of, settle_feature_dim

PCARun: TypeAlias = Run[PCAHyperparameters]

_SHIFT_ROWS = 1000
_LEAST_EXTRA = 10
# So the components keep 99 % of what the exact ones keep even of slowly falling spectra; two passes
# need twice the columns for that, and more work
_PASSES, _MORE_COLUMNS = 3, 25
# Up to so many times the sketch's columns the scatter matrix takes fewer operations, and up to this
# width little memory
_EXACT_COLUMNS, _EXACT_WIDTH = 4 * _PASSES, 4096


@one_thread_blas()
def fit(run: PCARun) -> PCAModel:
    """The components of the rows of `run.train`.

    Raises:
        CallerError: the rows are not feature_dim wide, or too few for num_components.
    """
    first = run.train.sample(_SHIFT_ROWS)
    width = _settle(run, first)
    shift, sketch = _shift(run, first, width), _sketch(run, width)
    thin = is_thin(first)
    rows = thin_chunk_rows(first, sketch is not None) if thin else chunk_rows(width)
    sums, mean = _pass(run, rows, shift, sketch, epoch=0)
    for epoch in range(1, _PASSES):
        if sketch is None or run.stopped_anywhere():
            break
        sketch = refined(sums.product, sketch)
        sums, mean = _pass(run, rows, shift, sketch, epoch)
    values, vectors = _solved(run, sums, sketch)
    model = PCAModel(
        params=run.params,
        mean=mean.astype(np.float32) if run.params.subtract_mean else None,
        v=_signed(vectors).astype(np.float32),
        s=np.sqrt(np.maximum(values, 0)).astype(np.float32),
        variance=sums.squares,
    )
    run.report("train:explained_variance", model.explained_share or 0.0)
    return model


def _settle(run: PCARun, first: Batch) -> int:
    """The width of the rows; what was left out is settled."""
    width = settle_feature_dim(run, first)
    if run.params.mini_batch_size is None:
        run.resolved(mini_batch_size=max(1, min(500, first.rows)))
    else:
        run.log("mini_batch_size: no effect, the components do not depend on it")
    if run.params.num_components > width:
        rule = f"must be at most feature_dim, {width}"
        raise CallerError.of("num_components", rule, run.params.num_components)
    return width


def _check_rows(run: PCARun, rows: int) -> None:
    wanted = run.params.num_components + run.params.subtract_mean
    if rows < wanted:
        centered = " and their mean" if run.params.subtract_mean else ""
        raise CallerError.of(
            "channel train",
            f"num_components={run.params.num_components}{centered} need at least {wanted} rows",
            rows,
        )


def _shift(run: PCARun, first: Batch, width: int) -> Floats:
    """A point near the mean, the same on all hosts; 0 for thin rows and without a mean."""
    shift = np.zeros(width, dtype=np.float32)
    if run.params.subtract_mean and first.rows and not is_thin(first):
        shift[: first.width] = first.dense().mean(axis=0, dtype=np.float64)
    return np.asarray(run.cluster.broadcast(shift), dtype=np.float32)


def _sketch(run: PCARun, width: int) -> Floats | None:
    """(width, columns), nearly orthonormal; None where the exact way is no dearer."""
    params = run.params
    extra = params.extra_components
    if extra < 0:
        extra = max(_LEAST_EXTRA, params.num_components)
    columns = params.num_components + extra + _MORE_COLUMNS
    exact = max(columns, min(_EXACT_COLUMNS * columns, _EXACT_WIDTH))
    if params.algorithm_mode == "regular" or width <= exact:
        return None
    return drawn(run.rng, width, columns)


def _pass(
    run: PCARun, rows: int, shift: Floats, sketch: Floats | None, epoch: int
) -> tuple[Sums, Numbers]:
    """The sums over all hosts' rows of an epoch, centered if they are to be, and the mean."""
    sums = summed(_chunks(run, len(shift), rows, epoch), shift, sketch).over(run.cluster)
    _check_rows(run, sums.count)
    mean = shift + sums.total / sums.count
    run.progress(100.0 if sketch is None else 100.0 * (epoch + 1) / _PASSES)
    return (_centered(sums, sketch) if run.params.subtract_mean else sums), mean


def _chunks(run: PCARun, width: int, rows: int, epoch: int) -> Iterator[Batch]:
    """The rows of this host."""
    started, seen = time.perf_counter(), 0
    for batch in run.train.batches(rows, epoch):
        yield replace(batch, features=features_of(batch, width, "train"))
        seen += batch.rows
        if run.stop:
            run.log(f"stopped after {seen} rows; the components are those of these rows")
            break
    run.throughput(seen / max(time.perf_counter() - started, 1e-9))


def _centered(sums: Sums, sketch: Floats | None) -> Sums:
    """Sums as if the mean had been subtracted from every row first."""
    mean = sums.total / sums.count
    across = sums.total if sketch is None else sums.total @ sketch.astype(np.float64)
    product = sums.product - np.outer(mean, across)
    return Sums(product, sums.total, sums.squares - float(mean @ sums.total), sums.count)


def _solved(run: PCARun, sums: Sums, sketch: Floats | None) -> tuple[Numbers, Numbers]:
    """The largest eigenvalues, ascending, and their vectors: (components,), (width, components)."""
    keep, width = run.params.num_components, len(sums.total)
    if sketch is not None:
        return eigenpairs(sums.product, sketch, keep)
    values, vectors = linalg.eigh(sums.product, subset_by_index=(width - keep, width - 1))
    return values, vectors


def _signed(vectors: Numbers) -> Numbers:
    """The same vectors, the largest entry of each positive: they have no sign of their own."""
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return np.ascontiguousarray(vectors * np.where(signs == 0, 1, signs))
