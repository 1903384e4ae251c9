"""t-SNE against openTSNE and scikit-learn, from a NumPy file of rows to one of places."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openTSNE
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness

from benchmarks import kmeans
from benchmarks.case import Case, Suite
from clary import settings
from clary.algorithms.tsne.fit import fit
from clary.algorithms.tsne.model import TSNEModel
from clary.algorithms.tsne.spec import ALGORITHM, TSNEHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.run import Run

Rows = npt.NDArray[np.float32]

_IMAGES, _EARLY, _LATE, _REDUCED = 20_000, 100, 200, 50
_JUDGED = 3_000
_KNOWN, _NEW = 1_200, 3_000


def prepare_digits(folder: Path) -> None:
    """scikit-learn's 1,797 digits of 64 pixels."""
    np.save(folder / "rows.npy", load_digits().data.astype(np.float32))


def prepare_images(folder: Path) -> None:
    """20,000 images of 256 pixels: the same digits, each turned, scaled and moved a little."""
    kmeans.prepare(folder)
    np.save(folder / "rows.npy", np.load(folder / "rows.npy")[:_IMAGES])


def prepare_new(folder: Path) -> None:
    """Digits that make a map, and 3,000 rows to place: digits with a little noise."""
    digits, draw = load_digits().data.astype(np.float32), np.random.default_rng(0)
    np.save(folder / "rows.npy", digits[:_KNOWN])
    new = digits[draw.integers(0, len(digits), _NEW)] + draw.normal(size=(_NEW, 64))
    np.save(folder / "new.npy", new.astype(np.float32))


def _timed(make: Callable[[Rows], Rows], folder: Path) -> dict[str, float]:
    """From file to file; then, not timed, the quality."""
    started = time.perf_counter()
    rows = np.load(folder / "rows.npy")
    places = make(rows)
    np.save(folder / "places.npy", places)
    seconds = time.perf_counter() - started
    some = np.linspace(0, len(rows) - 1, min(len(rows), _JUDGED)).astype(int)
    return {"seconds": seconds, "quality": float(trustworthiness(rows[some], places[some]))}


def _fitted(rows: Rows, **hyperparameters: float) -> TSNEModel:
    params = TSNEHyperparameters.parse(hyperparameters)
    return fit(Run(ALGORITHM, params, {"train": MemoryChannel("train", Batch(rows))}))


def ours(rows: Rows) -> Rows:
    """Clary with its defaults."""
    return _fitted(rows).places


def ours_shorter(rows: Rows) -> Rows:
    """Clary, fewer iterations."""
    return _fitted(rows, early_exaggeration_iter=_EARLY, max_iter=_EARLY + _LATE).places


def peer_opentsne(rows: Rows) -> Rows:
    """openTSNE with its defaults, on as many principal components as Clary takes."""
    return _opentsne(rows, 250, 500)


def peer_opentsne_shorter(rows: Rows) -> Rows:
    """openTSNE, fewer iterations."""
    return _opentsne(rows, _EARLY, _LATE)


def _opentsne(rows: Rows, early: int, late: int) -> Rows:
    reduced = PCA(_REDUCED, random_state=0).fit_transform(rows)
    peer = openTSNE.TSNE(
        early_exaggeration_iter=early, n_iter=late, n_jobs=settings.threads(), random_state=0
    )
    return np.asarray(peer.fit(reduced), dtype=np.float32)


def peer_scikit_learn(rows: Rows) -> Rows:
    """scikit-learn with its defaults but for 750 iterations, on as many principal components."""
    reduced = PCA(_REDUCED, random_state=0).fit_transform(rows)
    peer = TSNE(max_iter=750, n_jobs=settings.threads(), random_state=0)
    places: Rows = peer.fit_transform(reduced)
    return places


@cache
def _known(folder: Path) -> TSNEModel:
    return _fitted(np.load(folder / "rows.npy"), reduction_dim=0)


@cache
def _known_to_peer(folder: Path) -> openTSNE.TSNEEmbedding:
    peer = openTSNE.TSNE(n_jobs=settings.threads(), random_state=0, neighbors="exact")
    return peer.fit(np.load(folder / "rows.npy"))


def ours_placing(folder: Path) -> dict[str, float]:
    """Rows placed into a map that is there."""
    model, new = _known(folder), np.load(folder / "new.npy")
    started = time.perf_counter()
    places = model.predict(Batch(new))["embedding"]
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "quality": float(trustworthiness(new, places))}


def peer_placing(folder: Path) -> dict[str, float]:
    """The same with openTSNE's `transform`, on its tree."""
    peer, new = _known_to_peer(folder), np.load(folder / "new.npy")
    peer.gradient_descent_params["negative_gradient_method"] = "bh"
    started = time.perf_counter()
    places = np.asarray(peer.transform(new))
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "quality": float(trustworthiness(new, places))}


SUITE = Suite(
    "t-SNE",
    "Perplexity 30; both sides reduce wide rows to 50 principal components. Digits: 1,797 rows of "
    "64 pixels, 750 iterations, on a tree. Images: 20,000 of 256 pixels, 300 iterations, on a "
    "grid. Trustworthiness is that of 5 neighbors among the pixels. openTSNE makes Clary's maps "
    "too, so that the ratio is what neighbors, principal components and telling how it goes take.",
    (
        Case(
            "digits, openTSNE",
            prepare_digits,
            partial(_timed, ours),
            partial(_timed, peer_opentsne),
            "openTSNE",
            "trustworthiness",
            1797,
            "rows",
            floor=0.9,
            goal=1.0,
        ),
        Case(
            "digits, scikit-learn",
            prepare_digits,
            partial(_timed, ours),
            partial(_timed, peer_scikit_learn),
            "scikit-learn TSNE",
            "trustworthiness",
            1797,
            "rows",
            floor=1.0,
        ),
        Case(
            "images, openTSNE",
            prepare_images,
            partial(_timed, ours_shorter),
            partial(_timed, peer_opentsne_shorter),
            "openTSNE",
            "trustworthiness",
            _IMAGES,
            "rows",
            floor=0.9,
            goal=1.0,
            once=True,
        ),
        Case(
            "3,000 rows placed into a map of 1,200",
            prepare_new,
            ours_placing,
            peer_placing,
            "openTSNE transform",
            "trustworthiness",
            _NEW,
            "rows",
            floor=1.0,
        ),
    ),
)
