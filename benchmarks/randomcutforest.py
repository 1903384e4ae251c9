"""Random cut forest against AWS's own library in Rust and scikit-learn's isolation forest."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import krcf
import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from benchmarks.case import Case, Suite
from clary.algorithms.randomcutforest.fit import fit
from clary.algorithms.randomcutforest.model import RandomCutForestModel
from clary.algorithms.randomcutforest.spec import ALGORITHM, RandomCutForestHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.run import Run

_ROWS, _SCORED, _STREAMED, _ODD = 60_000, 10_000, 5_000, 0.05
_TREES, _SAMPLES = 100, 256
_DECAY = 0.1 / _SAMPLES

Rows = npt.NDArray[np.float32]


def prepare(width: int, folder: Path) -> None:
    """Cells of scikit-learn's breast cancer data, each moved a little; one in twenty malignant."""
    cells, benign = load_breast_cancer(return_X_y=True)
    cells = (cells / cells.std(axis=0))[:, :width]
    draw = np.random.default_rng(0)
    odd = draw.random(_ROWS) < _ODD
    chosen = np.where(
        odd,
        draw.choice(np.flatnonzero(benign == 0), _ROWS),
        draw.choice(np.flatnonzero(benign == 1), _ROWS),
    )
    rows = cells[chosen] + draw.normal(0, 0.1, (_ROWS, width))
    np.save(folder / "rows.npy", rows.astype(np.float32))
    np.save(folder / "odd.npy", odd)


def _read(folder: Path) -> tuple[Rows, npt.NDArray[np.bool_]]:
    return np.load(folder / "rows.npy"), np.load(folder / "odd.npy")


def _fitted(rows: Rows) -> RandomCutForestModel:
    given = {"num_trees": _TREES, "num_samples_per_tree": _SAMPLES}
    params = RandomCutForestHyperparameters.parse(given)
    return fit(Run(ALGORITHM, params, {"train": MemoryChannel("train", Batch(rows))}))


def _followed(width: int, rows: Rows) -> krcf.RandomCutForest:
    """AWS's forest after some rows; `lambda` 0 samples all alike, as a training does."""
    options: Any = {
        "dimensions": width,
        "shingle_size": 1,
        "num_trees": _TREES,
        "sample_size": _SAMPLES,
        "lambda": 0.0,
        "random_seed": 1,
        "internal_shingling": False,
        "bounding_box_cache_fraction": 1.0,
    }
    forest = krcf.RandomCutForest(options)
    for row in rows:
        forest.update(row)
    return forest


# Grown once in each process: only scoring is timed
@cache
def _ours(folder: Path) -> RandomCutForestModel:
    return _fitted(_read(folder)[0])


@cache
def _theirs(folder: Path) -> krcf.RandomCutForest:
    rows, _ = _read(folder)
    return _followed(rows.shape[1], rows)


@cache
def _isolation(folder: Path) -> IsolationForest:
    rows, _ = _read(folder)
    return IsolationForest(
        n_estimators=_TREES, max_samples=_SAMPLES, random_state=0, n_jobs=-1
    ).fit(rows)


def _scored(find: Callable[[Path], Callable[[Rows], Any]], folder: Path) -> dict[str, float]:
    rows, odd = _read(folder)
    score = find(folder)
    started = time.perf_counter()
    found = score(rows[:_SCORED])
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "quality": float(roc_auc_score(odd[:_SCORED], found))}


def ours_scores(folder: Path) -> Callable[[Rows], Any]:
    """Clary, over all processors."""
    return _ours(folder).forest.scores


def their_scores(folder: Path) -> Callable[[Rows], Any]:
    """krcf, row by row as its interface has it; its own threads make that slower."""
    forest = _theirs(folder)
    return lambda rows: [forest.score(row) for row in rows]


def isolation_scores(folder: Path) -> Callable[[Rows], Any]:
    """scikit-learn, whose scores are low for odd rows."""
    forest = _isolation(folder)
    return lambda rows: -forest.score_samples(rows)


def ours_training(folder: Path) -> dict[str, float]:
    """One pass over the rows, then the trees."""
    _fitted(_read(folder)[0])
    return {}


def their_training(folder: Path) -> dict[str, float]:
    """krcf grows its trees by inserting and removing rows."""
    rows, _ = _read(folder)
    _followed(rows.shape[1], rows)
    return {}


def ours_stream(folder: Path) -> dict[str, float]:
    """Each row is scored, then offered to the trees."""
    rows, odd = _read(folder)
    given = {"num_trees": _TREES, "num_samples_per_tree": _SAMPLES, "time_decay": _DECAY}
    settled = {"feature_dim": rows.shape[1], **given}
    model = RandomCutForestModel.empty(RandomCutForestHyperparameters.parse(settled))
    return _timed_stream(model.update, rows, odd)


def their_stream(folder: Path) -> dict[str, float]:
    """The same, by krcf."""
    rows, odd = _read(folder)
    options: Any = {"lambda": _DECAY, "bounding_box_cache_fraction": 1.0, "random_seed": 1}
    forest = krcf.RandomCutForest(
        {
            "dimensions": rows.shape[1],
            "shingle_size": 1,
            "num_trees": _TREES,
            "sample_size": _SAMPLES,
            **options,
        }
    )

    def step(row: Rows) -> float:
        score = forest.score(row)
        forest.update(row)
        return score

    return _timed_stream(step, rows, odd)


def _timed_stream(
    step: Callable[[Rows], float], rows: Rows, odd: npt.NDArray[np.bool_]
) -> dict[str, float]:
    started = time.perf_counter()
    scores = [step(row) for row in rows[:_STREAMED]]
    seconds = time.perf_counter() - started
    late = slice(_STREAMED // 5, _STREAMED)
    return {"seconds": seconds, "quality": float(roc_auc_score(odd[late], scores[late]))}


def _scoring(width: int, floor: float | None = 1.0, goal: float | None = 3.0) -> Case:
    return Case(
        f"scoring, {width} features",
        partial(prepare, width),
        partial(_scored, ours_scores),
        partial(_scored, their_scores),
        "krcf",
        "area under the ROC curve",
        _SCORED,
        "rows",
        floor,
        goal,
    )


SUITE = Suite(
    "Random cut forest",
    f"{_ROWS:,} rows, cells of scikit-learn's breast cancer data moved a little, one in twenty of "
    f"them malignant; {_TREES} trees of {_SAMPLES} rows. krcf is AWS's own library, in Rust, and "
    "scores a row a call on one processor.",
    (
        _scoring(10),
        _scoring(30),
        Case(
            "scoring, 10 features, isolation forest",
            partial(prepare, 10),
            partial(_scored, ours_scores),
            partial(_scored, isolation_scores),
            "scikit-learn IsolationForest",
            "area under the ROC curve",
            _SCORED,
            "rows",
        ),
        Case(
            "training, 10 features",
            partial(prepare, 10),
            ours_training,
            their_training,
            "krcf",
            amount=_ROWS,
            unit="rows",
        ),
        Case(
            "stream, scored and updated row by row",
            partial(prepare, 10),
            ours_stream,
            their_stream,
            "krcf",
            "area under the ROC curve",
            _STREAMED,
            "rows",
        ),
    ),
)
