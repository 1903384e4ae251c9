"""Where the extra centers begin: at first rows, and at an earlier model's centers."""

from __future__ import annotations

import numpy as np

from clary.algorithms.kmeans.assignment import Doubles, Rows, dense_rows
from clary.algorithms.kmeans.lloyd import plus_plus_start, random_start
from clary.algorithms.kmeans.model import KMeansModel
from clary.algorithms.kmeans.spec import KMeansHyperparameters
from clary.algorithms.kmeans.stream import ExtraCenters
from clary.codecs.batch import Batch, Floats
from clary.errors import CallerError
from clary.kit.run import Run
from clary.kit.width import features_of


def first_centers(
    run: Run[KMeansHyperparameters], width: int, rng: np.random.Generator
) -> ExtraCenters:
    """k · extra_center_factor centers, or as many as there are different first rows.

    Raises:
        CallerError: there are fewer rows than k, or the earlier model has another width.
    """
    params = run.params
    count = params.k * int(params.extra_center_factor)
    first = run.train.sample(max(params.mini_batch_size, count))
    (total,) = run.cluster.all_reduce(np.array([first.rows]))
    if total < params.k:
        rule = f"must have at least as many rows as k, {params.k}"
        raise CallerError.of("channel train", rule, int(total), "Lower k or bring more rows.")
    rows = _rows(first, width)
    origin = _origin(run, rows)
    earlier, weights = _earlier(run, origin)
    missing = max(0, count - len(earlier))
    draws = rng.spawn(run.cluster.size)[run.cluster.rank]
    found = run.cluster.gather(_share(run, rows, missing, origin, draws))
    start = np.concatenate([earlier, *found])
    weights = np.pad(weights, (0, len(start) - len(weights)))
    return ExtraCenters.at(start, weights, origin, params.half_life_time_size)


def _rows(first: Batch, width: int) -> Rows:
    if not first.rows:
        return Rows(np.zeros((0, width), np.float32))
    return Rows(features_of(first, width, "train"), first.weights)


def _origin(run: Run[KMeansHyperparameters], rows: Rows) -> Floats:
    """(width,), the mean of all hosts' first rows; 0 for sparse rows, which would be filled."""
    features = rows.features
    sums = np.zeros(features.shape[1])
    if isinstance(features, np.ndarray):
        sums = features.sum(axis=0, dtype=np.float64)
    total = run.cluster.all_reduce(np.append(sums, rows.count))
    origin: Floats = (total[:-1] / total[-1]).astype(np.float32)
    return origin


def _earlier(run: Run[KMeansHyperparameters], origin: Floats) -> tuple[Doubles, Doubles]:
    """The earlier model's centers, (number, width), and the weight of each, (number,)."""
    if run.initial_model is None:
        return np.zeros((0, len(origin))), np.zeros(0)
    model = KMeansModel.load(run.initial_model)
    if model.width != len(origin):
        rule = f"must have as many features as train, {len(origin)}"
        raise CallerError.of("channel model", rule, model.width)
    sizes = np.zeros(len(model.centers)) if model.sizes is None else model.sizes
    return model.centers.astype(np.float64) - origin, sizes


def _share(
    run: Run[KMeansHyperparameters],
    rows: Rows,
    count: int,
    origin: Floats,
    rng: np.random.Generator,
) -> Doubles:
    """This host's part of `count` first centers, (part, width)."""
    part = -(-count // run.cluster.size)
    if not part or not rows.count:
        return np.zeros((0, len(origin)))
    if run.params.init_method == "random":
        chosen = random_start(rows, part, rng)
    else:
        chosen = plus_plus_start(rows, part, origin, rng)
    return dense_rows(rows.features, chosen, origin)
