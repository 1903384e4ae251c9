"""PCA against scikit-learn's, from a NumPy or SciPy file to a model file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, load_npz, save_npz
from sklearn import decomposition

from benchmarks.case import Case, Suite
from clary.algorithms.pca.fit import fit
from clary.algorithms.pca.spec import ALGORITHM, PCAHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.run import Run

_ROWS, _WIDTH, _COMPONENTS = 60_000, 784, 50
_WIDE_ROWS, _WIDE = 8_000, 5_000
_THIN_ROWS, _THIN_WIDTH = 40_000, 1_000
_TEXT_ROWS, _TEXT_WIDTH = 20_000, 50_000


def prepare_dense(rows: int, width: int, folder: Path) -> None:
    """Rows with a slowly falling spectrum, as images have: the eigenvalues go like 1 / place."""
    draw = np.random.default_rng(0)
    scale = np.float32(1) / np.sqrt(1 + np.arange(width, dtype=np.float32))
    dense = draw.standard_normal((rows, width), dtype=np.float32) * scale
    # A reflection, so that no feature is a component
    axis = draw.standard_normal(width).astype(np.float32)
    dense -= np.outer(dense @ axis, 2 * axis / (axis @ axis)).astype(np.float32)
    np.save(folder / "rows.npy", dense + draw.uniform(0, 1, width).astype(np.float32))


def prepare_thin(rows: int, width: int, words: int, folder: Path) -> None:
    """Rows like texts: so many words each, half of them from one of twenty topics."""
    draw = np.random.default_rng(0)
    common = (width ** draw.random((rows, words))).astype(np.int64) % width
    topic = draw.integers(20, size=(rows, 1))
    word = np.where(
        draw.random((rows, words)) < 0.5, common, (common * 7919 + topic * 104729) % width
    )
    place = np.repeat(np.arange(rows), words)
    counts = csr_array((np.ones(word.size, np.float32), (place, word.ravel())), shape=(rows, width))
    save_npz(folder / "rows.npz", np.log1p(counts), compressed=False)


def ours(mode: str, folder: Path) -> dict[str, float]:
    """Clary, exact or sketched; sparse rows are not centered."""
    rows = _rows(folder)
    given = {"num_components": _COMPONENTS, "algorithm_mode": mode}
    centered = str(isinstance(rows, np.ndarray)).lower()
    params = PCAHyperparameters.parse({**given, "subtract_mean": centered})
    model = fit(Run(ALGORITHM, params, {"train": MemoryChannel("train", Batch(rows))}))
    np.save(folder / "ours.npy", model.v)
    return {"quality": _share(rows, model.v)}


def peer(solver: str, folder: Path) -> dict[str, float]:
    """scikit-learn; a solver with its own number of power iterations."""
    rows = _rows(folder)
    model = decomposition.PCA(_COMPONENTS, svd_solver=solver, random_state=0).fit(rows)
    np.save(folder / "peer.npy", model.components_)
    return {"quality": _share(rows, model.components_.T)}


def peer_sparse(folder: Path) -> dict[str, float]:
    """scikit-learn's truncated SVD, its way for sparse rows."""
    rows = _rows(folder)
    model = decomposition.TruncatedSVD(_COMPONENTS, random_state=0).fit(rows)
    np.save(folder / "peer.npy", model.components_)
    return {"quality": _share(rows, model.components_.T.astype(np.float32))}


def _rows(folder: Path) -> Any:
    dense = folder / "rows.npy"
    return np.load(dense) if dense.exists() else csr_array(load_npz(folder / "rows.npz"))


def _share(rows: Any, vectors: npt.NDArray[np.float32]) -> float:
    """Share of the variance of every tenth row that the vectors keep."""
    some = rows[::10]
    if isinstance(rows, np.ndarray):
        some = some - rows.mean(axis=0)
        return float(np.sum((some @ vectors) ** 2) / np.sum(some**2))
    return float(np.sum((some @ vectors) ** 2) / np.sum(some.data**2))


def _roof(figures: dict[str, float]) -> float:
    return _ROWS * _WIDTH**2 / figures["sgemm_flop_a_second"]


_DENSE, _WIDER = partial(prepare_dense, _ROWS, _WIDTH), partial(prepare_dense, _WIDE_ROWS, _WIDE)
_THIN = partial(prepare_thin, _THIN_ROWS, _THIN_WIDTH, 20)
_TEXT = partial(prepare_thin, _TEXT_ROWS, _TEXT_WIDTH, 100)


SUITE = Suite(
    "PCA",
    f"{_COMPONENTS} components, from a file in memory's cache; quality is the share of variance "
    "kept. The roof is rows × width² operations at the speed of sgemm.",
    (
        Case(
            f"regular, {_ROWS:,} × {_WIDTH}",
            _DENSE,
            partial(ours, "regular"),
            partial(peer, "covariance_eigh"),
            "scikit-learn covariance_eigh",
            "share",
            _ROWS,
            "rows",
            floor=1.0,
            goal=1.3,
            roof_seconds=_roof,
        ),
        Case(
            f"randomized, {_ROWS:,} × {_WIDTH}",
            _DENSE,
            partial(ours, "randomized"),
            partial(peer, "randomized"),
            "scikit-learn randomized",
            "share",
            _ROWS,
            "rows",
            floor=1.0,
        ),
        Case(
            f"randomized, {_WIDE_ROWS:,} × {_WIDE:,}",
            _WIDER,
            partial(ours, "randomized"),
            partial(peer, "randomized"),
            "scikit-learn randomized",
            "share",
            _WIDE_ROWS,
            "rows",
            floor=1.0,
        ),
        Case(
            f"regular, sparse, {_THIN_ROWS:,} × {_THIN_WIDTH:,}, 2 % filled",
            _THIN,
            partial(ours, "regular"),
            peer_sparse,
            "scikit-learn TruncatedSVD",
            "share",
            _THIN_ROWS,
            "rows",
            floor=1.0,
        ),
        Case(
            f"randomized, sparse, {_TEXT_ROWS:,} × {_TEXT_WIDTH:,}, 0.2 % filled",
            _TEXT,
            partial(ours, "randomized"),
            peer_sparse,
            "scikit-learn TruncatedSVD",
            "share",
            _TEXT_ROWS,
            "rows",
            floor=1.0,
        ),
    ),
)
