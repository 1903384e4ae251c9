"""From the K weighted centers to k: Lloyd's algorithm, several times, the best kept."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from clary.algorithms.kmeans.assignment import Integers, Rows, dense_rows
from clary.algorithms.kmeans.lloyd import Clustering, Lloyd, plus_plus_start, random_start
from clary.algorithms.kmeans.spec import KMeansHyperparameters
from clary.codecs.batch import Floats
from clary.kit.parallel import ordered_map
from clary.kit.run import Run


def merged(
    run: Run[KMeansHyperparameters], candidates: Rows, lloyd: Lloyd, rng: np.random.Generator
) -> Clustering:
    """k centers of the candidates, the extra centers with their weights; the same on all hosts."""
    params = run.params
    run.log(f"merging {candidates.count} centers into {params.k}")
    trial = partial(_trial, params, candidates, lloyd)
    trials: list[Clustering] = []
    for attempt in ordered_map(trial, rng.spawn(int(params.local_lloyd_num_trials))):
        run.log(f"attempt {len(trials)}: mean square distance {attempt.msd:.6g}")
        trials.append(attempt)
    best = min(trials, key=lambda trial: trial.msd)
    # Other processors may round otherwise
    return Clustering(
        run.cluster.broadcast(best.centers),
        run.cluster.broadcast(best.counts),
        best.msd,
        best.first_msd,
    )


def _trial(
    params: KMeansHyperparameters, candidates: Rows, lloyd: Lloyd, rng: np.random.Generator
) -> Clustering:
    if params.local_lloyd_init_method == "random":
        chosen = random_start(candidates, params.k, rng)
    else:
        chosen = greedy_start(candidates, params.k, lloyd.origin, rng)
    # Where fewer candidates differ, some centers are equal
    start = dense_rows(candidates.features, np.resize(chosen, params.k), lloyd.origin)
    return lloyd.run(list(candidates.chunks()), start)


def greedy_start(rows: Rows, k: int, origin: Floats, rng: np.random.Generator) -> Integers:
    """k-means++ with as many candidates at a step as scikit-learn tries."""
    return plus_plus_start(rows, k, origin, rng, 2 + int(math.log(k)))
