"""PCA in one pass over the data, for any number of rows.

Stages: choose a shift from the first rows; sum over chunks of rows, on every host its own; add up
the hosts; center; solve.

Regular mode sums the scatter matrix Σ x xᵀ (width² numbers) and takes its top eigenvectors.
Randomized mode sums its product with a random matrix of orthonormal columns and recovers the
eigenvectors by the stabilized Nyström method, algorithm 3 of J. Tropp, A. Yurtsever, M. Udell and
V. Cevher, "Fixed-rank approximation of a positive-semidefinite matrix from streaming data" (2017).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import linalg

from clary.algorithms.pca.model import PCAModel
from clary.algorithms.pca.moments import CHUNK_ROWS, Floats, Numbers, Sums, summed
from clary.algorithms.pca.spec import PCAHyperparameters
from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.kit.parallel import one_thread_blas
from clary.kit.run import Run
from clary.kit.width import features_of, settle_feature_dim

PCARun: TypeAlias = Run[PCAHyperparameters]

_SHIFT_ROWS = 1000
_LEAST_EXTRA = 10
# One pass over slowly falling spectra (images of digits) needs a wide sketch: with these the
# components keep 99 % of what the exact ones keep; with num_components + extra columns, 88 to 97 %.
_LEAST_COLUMNS = 100
_OVERSAMPLING = 3


def fit(run: PCARun) -> PCAModel:
    """The components of the rows of `run.train`.

    Raises:
        CallerError: the rows are not feature_dim wide, or too few for num_components.
    """
    first = run.train.sample(_SHIFT_ROWS)
    width = _settle(run, first)
    shift, sketch = _shift(run, first, width), _sketch(run, width)
    sums = summed(_chunks(run, width), shift, sketch).over(run.cluster)
    _check_rows(run, sums.count)
    mean = shift + sums.total / sums.count
    sums = _centered(sums, sketch) if run.params.subtract_mean else sums
    with one_thread_blas():
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
    run.resolved(mini_batch_size=run.params.mini_batch_size or min(500, first.rows))
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
    """A point near the mean, the same on all hosts; 0 where the data is not to be centered."""
    shift = np.zeros(width, dtype=np.float32)
    if run.params.subtract_mean:
        shift[: first.width] = first.dense().mean(axis=0, dtype=np.float64)
    return np.asarray(run.cluster.broadcast(shift), dtype=np.float32)


def _sketch(run: PCARun, width: int) -> Floats | None:
    """(width, columns) float32 with orthonormal columns; None where it would be square."""
    params = run.params
    extra = params.extra_components
    if extra < 0:
        extra = max(_LEAST_EXTRA, params.num_components)
    columns = max(_LEAST_COLUMNS, _OVERSAMPLING * (params.num_components + extra))
    if params.algorithm_mode == "regular" or columns >= width:
        return None
    with one_thread_blas():
        return np.linalg.qr(run.rng.normal(size=(width, columns)))[0].astype(np.float32)


def _chunks(run: PCARun, width: int) -> Iterator[Batch]:
    """The rows of this host, with progress said as they pass."""
    started, seen = time.perf_counter(), 0
    for batch in run.train.batches(CHUNK_ROWS):
        yield replace(batch, features=features_of(batch, width, "train"))
        seen += batch.rows
        if run.stop:
            run.log(f"stopped after {seen} rows; the components are those of these rows")
            break
    run.progress(100.0)
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
        return _nystrom(sums.product, sketch.astype(np.float64), keep)
    values, vectors = linalg.eigh(sums.product, subset_by_index=(width - keep, width - 1))
    return values, vectors


def _nystrom(
    product: Numbers, sketch: npt.NDArray[np.float64], keep: int
) -> tuple[Numbers, Numbers]:
    """Eigenpairs of A from A times the sketch; a small shift keeps the Cholesky factor whole."""
    nudge = np.sqrt(product.shape[0]) * np.finfo(np.float32).eps * np.linalg.norm(product, 2)
    shifted = product + nudge * sketch
    inner = sketch.T @ shifted
    factor = np.linalg.cholesky((inner + inner.T) / 2)
    half = linalg.solve_triangular(factor, shifted.T, lower=True).T
    vectors, roots, _ = np.linalg.svd(half, full_matrices=False)
    values = np.maximum(roots**2 - nudge, 0)
    return values[:keep][::-1], vectors[:, :keep][:, ::-1]


def _signed(vectors: Numbers) -> Numbers:
    """The same vectors, the largest entry of each positive: they have no sign of their own."""
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return np.ascontiguousarray(vectors * np.where(signs == 0, 1, signs))
