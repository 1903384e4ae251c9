"""A random cut forest from one pass over the data.

The stages: a sample of num_trees times num_samples_per_tree rows is kept of the stream, on every
host of its own rows; the hosts' samples become one; it is dealt out to the trees; each tree is cut
down to single rows; the scores of some of the rows say where anomalies begin.
"""

from __future__ import annotations

import time

import numpy as np

from clary import settings
from clary.algorithms.randomcutforest.forest import Forest
from clary.algorithms.randomcutforest.model import RandomCutForestModel
from clary.algorithms.randomcutforest.sample import Reservoir
from clary.algorithms.randomcutforest.shingles import Shingles
from clary.algorithms.randomcutforest.spec import RandomCutForestHyperparameters
from clary.algorithms.randomcutforest.threshold import Threshold
from clary.algorithms.randomcutforest.trees import Doubles, Floats
from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.kit.run import Run
from clary.kit.width import features_of, settle_feature_dim

ForestRun = Run[RandomCutForestHyperparameters]

_BATCH_ROWS = 4096
# Where the rows are so few that parts of the sample would be smaller, trees share rows
_FEWEST_IN_TREE = 32
_SCORED_ROWS = 4096
# Points and both ends of the boxes, and the sample beside its copy; the rest of a node and a leaf
_NUMBER_BYTES, _NODE_BYTES = 12 + 12, 64


def fit(run: ForestRun) -> RandomCutForestModel:
    """Grow a forest from the rows of train.

    Raises:
        CallerError: the rows are not of one width, too few, or the forest does not fit into memory.
    """
    keep, deal = run.rng.spawn(2)
    width = settle_feature_dim(run, run.train.sample(1))
    _check_memory(run.params, width)
    params = run.params
    reservoir = Reservoir(
        params.num_trees * params.num_samples_per_tree,
        params.time_decay,
        run.cluster.size,
        keep.spawn(run.cluster.size)[run.cluster.rank],
    )
    last_rows = _pass(run, reservoir, width)
    rows, keys = reservoir.drawn(width * params.shingle_size, run.cluster)
    _check_rows(run, len(rows))
    seen = int(run.cluster.all_reduce(np.array([reservoir.seen]))[0])
    forest = _grown(run, rows, keys, deal)
    forest.seen, forest.clock = seen, params.time_decay * seen
    scored = rows[deal.permutation(len(rows))[:_SCORED_ROWS]]
    threshold = Threshold.of(forest.scores(scored))
    return RandomCutForestModel(run.params, forest, threshold, last_rows)


def _check_memory(params: RandomCutForestHyperparameters, width: int) -> None:
    there = settings.job_memory_bytes()
    node_bytes = width * params.shingle_size * _NUMBER_BYTES + _NODE_BYTES
    needed = params.num_trees * params.num_samples_per_tree * node_bytes
    if needed > there:
        raise CallerError.of(
            "num_trees times num_samples_per_tree",
            f"the forest must fit into {there:,} bytes of memory",
            f"{params.num_trees} times {params.num_samples_per_tree}, {needed:,} bytes",
            "Take fewer trees or smaller samples.",
        )


def _pass(run: ForestRun, reservoir: Reservoir, width: int) -> Floats:
    """See every row of this host; the last ones, which a series goes on from."""
    shingles = Shingles(run.params.shingle_size, width)
    started, seen = time.perf_counter(), 0
    for batch in run.train.batches(_BATCH_ROWS):
        rows = Batch(features_of(batch, width, run.train.name)).dense()
        reservoir.add(shingles.add(rows)[0])
        seen += len(rows)
        if run.stop:
            run.log(f"stopped after {seen} rows; the forest is grown from these")
            break
    run.progress(100)
    run.throughput(seen / max(time.perf_counter() - started, 1e-9))
    return shingles.held


def _check_rows(run: ForestRun, points: int) -> None:
    size = run.params.shingle_size
    if points < 2 and size == 1:
        raise CallerError.of("channel train", "must have at least 2 rows", points)
    if points < 2:
        rule = f"must have at least {size + 1} rows, for two points of shingle_size={size}"
        raise CallerError.of("channel train", rule)


def _grown(run: ForestRun, rows: Floats, keys: Doubles, rng: np.random.Generator) -> Forest:
    """The forest over the sample: equal parts of it, or, of very few rows, shared ones."""
    params, trees = run.params, run.params.num_trees
    each = min(params.num_samples_per_tree, len(rows) // trees)
    shared = each < min(_FEWEST_IN_TREE, params.num_samples_per_tree)
    if shared:
        each = min(_FEWEST_IN_TREE, params.num_samples_per_tree, len(rows))
        dealt = [rng.permutation(len(rows))[:each] for _ in range(trees)]
    else:
        dealt = list(rng.permutation(len(rows))[: trees * each].reshape(trees, each))
    words = "shared by several trees" if shared else f"{trees * each} in all"
    run.log(f"{each} of {params.num_samples_per_tree} samples per tree, {words}")
    forest = Forest.empty(trees, each, rows.shape[1], rng)
    # A part is of the rows that one tree would have been given; in a stream, all trees see all rows
    later = 0.0 if shared else np.log(trees)
    forest.grow((rows[chosen], keys[chosen] - later) for chosen in dealt)
    return forest
