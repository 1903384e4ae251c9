"""PCA against scikit-learn's, from a RecordIO-protobuf or NumPy file to a model file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn import decomposition

from benchmarks.case import Case, Suite
from clary.algorithms.pca.fit import fit
from clary.algorithms.pca.spec import ALGORITHM, PCAHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.run import Run

_ROWS, _WIDTH, _COMPONENTS = 60_000, 784, 50


def prepare(folder: Path) -> None:
    """Rows with a slowly falling spectrum, as images have: the eigenvalues go like 1 / place."""
    draw = np.random.default_rng(0)
    turn = np.linalg.qr(draw.normal(size=(_WIDTH, _WIDTH)))[0]
    scale = 1 / np.sqrt(1 + np.arange(_WIDTH))
    rows = (draw.normal(size=(_ROWS, _WIDTH)) * scale) @ turn + draw.uniform(0, 1, _WIDTH)
    np.save(folder / "rows.npy", rows.astype(np.float32))


def ours_regular(folder: Path) -> dict[str, float]:
    """Clary, exact."""
    return _ours(folder, "regular")


def ours_randomized(folder: Path) -> dict[str, float]:
    """Clary, sketched."""
    return _ours(folder, "randomized")


def peer_exact(folder: Path) -> dict[str, float]:
    """scikit-learn through the covariance matrix, its quickest exact way for these shapes."""
    return _peer(folder, "covariance_eigh")


def peer_randomized(folder: Path) -> dict[str, float]:
    """scikit-learn's randomized SVD with its own number of power iterations."""
    return _peer(folder, "randomized")


def _ours(folder: Path, mode: str) -> dict[str, float]:
    rows = np.load(folder / "rows.npy")
    params = PCAHyperparameters.parse({"num_components": _COMPONENTS, "algorithm_mode": mode})
    model = fit(Run(ALGORITHM, params, {"train": MemoryChannel("train", Batch(rows))}))
    np.save(folder / "ours.npy", model.v)
    return {"quality": _share(rows, model.v)}


def _peer(folder: Path, solver: str) -> dict[str, float]:
    rows = np.load(folder / "rows.npy")
    model = decomposition.PCA(_COMPONENTS, svd_solver=solver, random_state=0).fit(rows)
    np.save(folder / "peer.npy", model.components_)
    return {"quality": _share(rows, model.components_.T)}


def _share(rows: npt.NDArray[np.float32], vectors: npt.NDArray[np.float32]) -> float:
    """Share of the variance of every tenth row that the vectors keep."""
    some = rows[::10] - rows.mean(axis=0)
    return float(np.sum((some @ vectors) ** 2) / np.sum(some**2))


def _roof(figures: dict[str, float]) -> float:
    return _ROWS * _WIDTH**2 / figures["sgemm_flop_a_second"]


SUITE = Suite(
    "PCA",
    f"{_ROWS:,} rows of {_WIDTH} features, {_COMPONENTS} components, from a file in memory's "
    "cache; quality is the share of variance kept. The roof is rows × width² operations at the "
    "speed of sgemm.",
    (
        Case(
            "regular",
            prepare,
            ours_regular,
            peer_exact,
            "scikit-learn covariance_eigh",
            "share",
            _ROWS,
            "rows",
            floor=1.0,
            goal=1.3,
            roof_seconds=_roof,
        ),
        Case(
            "randomized",
            prepare,
            ours_randomized,
            peer_randomized,
            "scikit-learn randomized",
            "share",
            _ROWS,
            "rows",
            floor=1.0,
        ),
    ),
)
