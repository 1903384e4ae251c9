"""K-means against faiss and scikit-learn, from a NumPy file or records to a file of centers."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.datasets import load_digits

from benchmarks.case import Case, Suite
from clary.algorithms.kmeans.fit import fit
from clary.algorithms.kmeans.spec import ALGORITHM, KMeansHyperparameters
from clary.codecs.batch import Batch
from clary.codecs.content_type import RECORDIO, parse_content_type
from clary.codecs.formats import encode
from clary.data.channel import Channel, MemoryChannel
from clary.data.contents import Contents
from clary.data.files import FolderChannel
from clary.kit.run import Run

_ROWS, _SIDE, _STREAMED_COPIES = 60_000, 16, 8
_WIDTH = _SIDE**2
_CHUNK = 4096

Rows = npt.NDArray[np.float32]


def prepare(folder: Path) -> None:
    """60,000 images of 16 × 16: scikit-learn's digits, each turned, scaled and moved a little."""
    images = load_digits().images.astype(np.float32)
    draw = np.random.default_rng(0)
    rows = np.empty((_ROWS, _WIDTH), np.float32)
    for start in range(0, _ROWS, _CHUNK):
        part = rows[start : start + _CHUNK]
        part[:] = _moved(images[draw.integers(0, len(images), len(part))], draw)
    np.save(folder / "rows.npy", rows)


def prepare_stream(folder: Path) -> None:
    """The same images several times over, as records."""
    prepare(folder)
    rows = np.load(folder / "rows.npy")
    (folder / "train").mkdir()
    with (folder / "train" / "rows").open("wb") as out:
        encode([Batch(rows)] * _STREAMED_COPIES, out, parse_content_type(RECORDIO))


def _moved(images: Rows, draw: np.random.Generator) -> Rows:
    """(count, 8, 8) to (count, width)."""
    count = len(images)
    angle, scale = draw.normal(0, 0.2, count), draw.uniform(0.9, 1.2, count) / 2
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    turn = np.stack([np.stack([cosine, -sine], 1), np.stack([sine, cosine], 1)], 1)
    grid = np.indices((_SIDE, _SIDE)).reshape(2, -1) - (_SIDE - 1) / 2
    places = turn @ grid + draw.normal(3.5, 0.7, (count, 2, 1))
    which = np.broadcast_to(np.arange(count, dtype=np.float64)[:, None, None], (count, 1, _WIDTH))
    at = np.concatenate([which, places], axis=1).transpose(1, 0, 2).reshape(3, -1)
    found: Rows = ndimage.map_coordinates(images, at, order=1).reshape(count, _WIDTH)
    return found


def _timed(find: Callable[[Rows, int], Any], k: int, folder: Path) -> dict[str, float]:
    """From file to file; then, not timed, the quality."""
    started = time.perf_counter()
    rows = np.load(folder / "rows.npy")
    centers = find(rows, k)
    np.save(folder / "centers.npy", centers)
    return {"seconds": time.perf_counter() - started, "quality": _msd(rows, centers)}


def _msd(rows: Rows, centers: npt.NDArray[Any]) -> float:
    nearest = 0.0
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK].astype(np.float64)
        scores = np.sum(centers.astype(np.float64) ** 2, axis=1) - 2 * (chunk @ centers.T)
        nearest += float((scores.min(axis=1) + np.sum(chunk**2, axis=1)).sum())
    return nearest / len(rows)


def _fitted(channel: Channel, k: int) -> Rows:
    params = KMeansHyperparameters.parse({"k": k})
    return fit(Run(ALGORITHM, params, {"train": channel})).centers


def ours(rows: Rows, k: int) -> Rows:
    """Clary, all hyperparameters but k left out."""
    return _fitted(MemoryChannel("train", Batch(rows)), k)


def peer_faiss(rows: Rows, k: int) -> Rows:
    """faiss on all rows; of itself it takes 256 a cluster, and ends 1 % worse than scikit-learn."""
    found = faiss.Kmeans(_WIDTH, k, seed=1, max_points_per_centroid=_ROWS)
    found.train(rows)
    centers: Rows = found.centroids
    return centers


def peer_scikit_learn(rows: Rows, k: int) -> Rows:
    """scikit-learn until it converges, begun once with k-means++."""
    centers: Rows = KMeans(k, n_init=1, random_state=0).fit(rows).cluster_centers_
    return centers


def peer_mini_batch(rows: Rows, k: int) -> Rows:
    """scikit-learn in mini-batches of its own default size."""
    centers: Rows = MiniBatchKMeans(k, random_state=0).fit(rows).cluster_centers_
    return centers


def _channel(folder: Path) -> FolderChannel:
    return FolderChannel("train", folder / "train", Contents(ALGORITHM.channel("train"), RECORDIO))


def ours_stream(folder: Path) -> dict[str, float]:
    """One pass over records."""
    np.save(folder / "centers.npy", _fitted(_channel(folder), 10))
    return {}


def peer_reading(folder: Path) -> dict[str, float]:
    """The same records read, and nothing done with them."""
    for batch in _channel(folder).batches(5000):
        assert batch.width == _WIDTH
    return {}


def _roof(k: int, figures: dict[str, float]) -> float:
    """One iteration of Lloyd's algorithm."""
    return 2 * _ROWS * k * _WIDTH / figures["sgemm_flop_a_second"]


def _case(k: int, peer: Callable[[Rows, int], Rows], name: str) -> Case:
    return Case(
        f"k={k}, {name}",
        prepare,
        partial(_timed, ours, k),
        partial(_timed, peer, k),
        name,
        "mean squared distance",
        _ROWS,
        "rows",
        floor=None if peer is peer_mini_batch else 0.8,
        goal=None if peer is peer_mini_batch else 1.0,
        roof_seconds=partial(_roof, k),
    )


_PEERS = {
    "faiss.Kmeans": peer_faiss,
    "scikit-learn MiniBatchKMeans": peer_mini_batch,
    "scikit-learn KMeans": peer_scikit_learn,
}

SUITE = Suite(
    "K-means",
    f"{_ROWS:,} images of {_WIDTH} pixels, from a file in memory's cache; faiss on all rows with "
    "its 25 iterations, scikit-learn begun once with k-means++ until it converges. MiniBatchKMeans "
    "ends over 1 % worse than that, so it sets no floor. The roof is one iteration of Lloyd's "
    "algorithm at the speed of sgemm.",
    (
        *(_case(k, peer, name) for k in (10, 50) for name, peer in _PEERS.items()),
        Case(
            "one pass over records, k=10",
            prepare_stream,
            ours_stream,
            peer_reading,
            "reading them alone",
            amount=_ROWS * _STREAMED_COPIES,
            unit="rows",
        ),
    ),
)
