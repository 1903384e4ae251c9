"""k-nearest neighbors against faiss and scikit-learn, from NumPy files to a file of neighbors."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

from benchmarks import kmeans
from benchmarks.case import Case, Suite
from clary.algorithms.knn.fit import fit
from clary.algorithms.knn.model import KNNModel
from clary.algorithms.knn.spec import ALGORITHM, KNNHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.run import Run

_K, _ASKED, _KNOWN, _SIDE = 10, 2000, 200, 16
_ROWS = 58_000
_LONELY = 200

Rows: Any = npt.NDArray[np.float32]
Find: Any = Callable[[Rows, Rows], npt.NDArray[np.int64]]


def prepare(height: int, width: int, folder: Path) -> None:
    """The moved digits of k-means' benchmark, as the ink in blocks of height × width pixels.

    Of some rows the true neighbors, found in float64 among all.
    """
    kmeans.prepare(folder)
    images = np.load(folder / "rows.npy").reshape(
        -1, _SIDE // height, height, _SIDE // width, width
    )
    rows = np.ascontiguousarray(images.sum((2, 4)).reshape(len(images), -1), dtype=np.float32)
    np.save(folder / "rows.npy", rows[:_ROWS])
    np.save(folder / "asked.npy", rows[_ROWS : _ROWS + _ASKED])
    exact = rows[:_ROWS].astype(np.float64)
    near = [
        np.argsort(((exact - one) ** 2).sum(axis=1), kind="stable")[:_K]
        for one in rows[_ROWS : _ROWS + _KNOWN].astype(np.float64)
    ]
    np.save(folder / "near.npy", np.array(near))


def _timed(find: Find, folder: Path) -> dict[str, float]:
    """From files to file; then, not timed, the share of the true neighbors found."""
    started = time.perf_counter()
    rows, asked = np.load(folder / "rows.npy"), np.load(folder / "asked.npy")
    found = find(rows, asked)
    np.save(folder / "found.npy", found)
    seconds = time.perf_counter() - started
    wanted = np.load(folder / "near.npy")
    shares = [len(np.intersect1d(one, other)) for one, other in zip(found, wanted, strict=False)]
    return {"seconds": seconds, "quality": float(np.mean(shares)) / _K}


def _model(rows: Rows, settings: dict[str, Any]) -> KNNModel:
    given = {"k": _K, "predictor_type": "classifier", "sample_size": len(rows), **settings}
    batch = Batch(rows, np.zeros(len(rows), np.float32))
    channels = {"train": MemoryChannel("train", batch)}
    return fit(Run(ALGORITHM, KNNHyperparameters.parse(given), channels))


def ours(settings: dict[str, Any], rows: Rows, asked: Rows) -> npt.NDArray[np.int64]:
    """Clary: sample, index and search."""
    return _model(rows, settings).nearest(Batch(asked), _K)[1]


def peer_flat(rows: Rows, asked: Rows) -> npt.NDArray[np.int64]:
    """faiss's exhaustive search."""
    index = faiss.IndexFlatL2(rows.shape[1])
    index.add(rows)
    return np.asarray(index.search(asked, _K)[1])


def peer_cells(rows: Rows, asked: Rows) -> npt.NDArray[np.int64]:
    """faiss with as many cells, of which five are searched."""
    cells = int(np.sqrt(len(rows)))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(rows.shape[1]), rows.shape[1], cells)
    return _indexed(index, rows, asked)


def peer_codes(rows: Rows, asked: Rows) -> npt.NDArray[np.int64]:
    """faiss with as many cells and codes of as many bytes."""
    cells = int(np.sqrt(len(rows)))
    index = faiss.IndexIVFPQ(faiss.IndexFlatL2(rows.shape[1]), rows.shape[1], cells, 8, 8)
    return _indexed(index, rows, asked)


def _indexed(index: Any, rows: Rows, asked: Rows) -> npt.NDArray[np.int64]:
    index.train(rows)
    index.add(rows)
    index.nprobe = 5
    return np.asarray(index.search(asked, _K)[1])


def peer_scikit_learn(rows: Rows, asked: Rows) -> npt.NDArray[np.int64]:
    """scikit-learn's exhaustive search, on all processors."""
    found = NearestNeighbors(n_neighbors=_K, algorithm="brute", n_jobs=-1).fit(rows)
    return np.asarray(found.kneighbors(asked, return_distance=False))


def _one_by_one(answer: Callable[[Rows], object], asked: Rows) -> dict[str, float]:
    """The median time of a row alone."""
    answer(asked[:1])
    times = []
    for place in range(_LONELY):
        started = time.perf_counter()
        answer(asked[place : place + 1])
        times.append(time.perf_counter() - started)
    return {"seconds": float(np.median(times))}


def ours_alone(folder: Path) -> dict[str, float]:
    """A prediction of one row at a time."""
    model = _model(np.load(folder / "rows.npy"), {})
    return _one_by_one(lambda row: model.predict(Batch(row)), np.load(folder / "asked.npy"))


def peer_alone(folder: Path) -> dict[str, float]:
    """faiss's search for one row at a time."""
    rows = np.load(folder / "rows.npy")
    index = faiss.IndexFlatL2(rows.shape[1])
    index.add(rows)
    return _one_by_one(lambda row: index.search(row, _K), np.load(folder / "asked.npy"))


def _roof(numbers: int, figures: dict[str, float]) -> float:
    """The products of all pairs of rows."""
    return 2 * _ROWS * _ASKED * numbers / figures["sgemm_flop_a_second"]


def _case(
    name: str,
    block: tuple[int, int],
    peer: Find,
    peer_name: str,
    settings: dict[str, Any] | None = None,
    bounds: tuple[float | None, float | None] = (0.8, 1.0),
) -> Case:
    numbers = _SIDE * _SIDE // (block[0] * block[1])
    return Case(
        f"{name}, {numbers} numbers a row, {peer_name}",
        partial(prepare, *block),
        partial(_timed, partial(ours, settings or {})),
        partial(_timed, peer),
        peer_name,
        f"recall@{_K}",
        _ASKED,
        "rows",
        floor=bounds[0],
        goal=bounds[1],
        roof_seconds=partial(_roof, numbers) if not settings else None,
    )


def _alone(block: tuple[int, int]) -> Case:
    numbers = _SIDE * _SIDE // (block[0] * block[1])
    return Case(
        f"one row of {numbers} numbers, flat",
        partial(prepare, *block),
        ours_alone,
        peer_alone,
        "faiss Flat",
        amount=1,
        unit="rows",
        goal=0.001,
        measure="seconds",
    )


_PRUNED = (0.8, 3.0)
_CELLS = {"index_type": "faiss.IVFFlat"}
_CODES = {"index_type": "faiss.IVFPQ", "faiss_index_pq_m": 8}

SUITE = Suite(
    "k-nearest neighbors",
    f"{_K} neighbors of {_ASKED:,} rows among {_ROWS:,}: images of digits, and the ink in blocks "
    "of their pixels. From files in memory's cache to the file of neighbors, index and all. The "
    "roof of flat search are the products of all pairs at the speed of sgemm.",
    (
        _case("flat", (1, 1), peer_flat, "faiss Flat"),
        _case("flat", (1, 1), peer_scikit_learn, "scikit-learn brute"),
        _case("flat", (4, 4), peer_flat, "faiss Flat", bounds=_PRUNED),
        _case("flat", (4, 8), peer_flat, "faiss Flat", bounds=_PRUNED),
        _case("flat", (8, 8), peer_flat, "faiss Flat", bounds=_PRUNED),
        _case("cells", (1, 1), peer_cells, "faiss IVFFlat", _CELLS),
        _case("codes", (2, 2), peer_codes, "faiss IVFPQ", _CODES),
        _alone((4, 4)),
        _alone((1, 1)),
    ),
)
