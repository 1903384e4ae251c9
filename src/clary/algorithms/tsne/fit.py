"""t-SNE: a map on which rows that are alike lie together.

L. van der Maaten and G. Hinton, "Visualizing data using t-SNE" (2008). The stages: draw the rows
that make the map; reduce wide ones to their principal components; find each row's neighbors and
how near they are; let the points of the map descend, neighbors attracting each other and all
repelling all; place the rows that were not drawn.

Hosts send their rows to the leader, which makes the map; each places its own rows.
"""

from __future__ import annotations

import numpy as np

from clary.algorithms.tsne.affinities import (
    highest_perplexity,
    joint,
    likelihoods,
    neighbors_for,
)
from clary.algorithms.tsne.descent import Plan, State, descend
from clary.algorithms.tsne.figures import shown_rows, words_for
from clary.algorithms.tsne.model import TSNEModel
from clary.algorithms.tsne.neighbors import Nearest, approximate_neighbors, exact_neighbors
from clary.algorithms.tsne.reduction import Reduction, learned, principal_axes
from clary.algorithms.tsne.sample import READ_ROWS, Drawn, TSNERun, colors, draw
from clary.algorithms.tsne.table import write_table
from clary.algorithms.tsne.tree import Doubles
from clary.codecs.batch import Floats
from clary.kit.width import features_of, settle_feature_dim

# Up to so many rows comparing each with all takes less time than the descent
_EXACT_ROWS = 50_000
# Small enough that points attract each other across the whole map, as openTSNE begins
_SPREAD, _JITTER = 1e-4, 0.01
_CHECKPOINT_ITERATIONS = 100


def fit(run: TSNERun) -> TSNEModel:
    """A map of the rows of train.

    Raises:
        CallerError: there are fewer than four rows, or they are not of one width.
    """
    width = settle_feature_dim(run, run.train.sample(1))
    drawing, reduce, search, begin = run.rng.spawn(4)
    drawn = draw(run, width, drawing)
    _settle(run, drawn)
    reduction = _reduction(run, drawn, reduce)
    rows = reduction.reduced(drawn.features)
    places = None
    if run.cluster.is_leader:
        nearest = _neighbors(run, rows, search)
        places = _map(run, rows, nearest, begin)
    places = np.asarray(run.cluster.broadcast(places), dtype=np.float32)
    model = TSNEModel(run.params, reduction, rows, places, drawn.numbers, drawn.label)
    if run.cluster.is_leader:
        run.report("train:trustworthiness", model.trustworthiness())
        shown = shown_rows(len(rows))
        model.words = words_for(drawn.numbers[shown].tolist(), drawn.features[shown])
    _place_all(run, model, drawn)
    return model


def _settle(run: TSNERun, drawn: Drawn) -> None:
    rows = len(drawn.numbers)
    if run.cluster.size > 1:
        run.log(f"the leader makes the map, of {rows} rows of {run.cluster.size} hosts")
    if not drawn.is_whole:
        run.log(
            f"sample_size: {rows} of {drawn.total} rows make the map, the others are placed into it"
        )
    highest = highest_perplexity(rows - 1)
    if run.params.perplexity > highest:
        run.log("perplexity: at most a third of the other rows")
        run.resolved(perplexity=highest)
    if run.params.neighbor_search == "auto":
        exact = rows <= _EXACT_ROWS
        run.resolved(neighbor_search="exact" if exact else "approximate")


def _reduction(run: TSNERun, drawn: Drawn, rng: np.random.Generator) -> Reduction:
    params = run.params
    reduction = learned(drawn.features, params.reduction_dim, params.metric, rng)
    if reduction.axes is not None:
        kept = reduction.axes.shape[1]
        run.log(f"reduction_dim: {reduction.width} features are reduced to {kept}")
    return reduction


def _neighbors(run: TSNERun, rows: Floats, rng: np.random.Generator) -> Nearest:
    count = neighbors_for(run.params.perplexity, len(rows) - 1)
    run.log(f"finding {count} neighbors of each row")
    if run.params.neighbor_search == "exact":
        return exact_neighbors(rows, count)
    return approximate_neighbors(rows, count, rng)


def _map(run: TSNERun, rows: Floats, nearest: Nearest, rng: np.random.Generator) -> Floats:
    """(rows, num_components), centered."""
    params = run.params
    affinities = joint(nearest, likelihoods(nearest, params.perplexity, params.metric))
    state, done = State.beginning(_beginning(run, rows, rng)), 0
    if latest := run.checkpoints.latest():
        done, folder = latest
        state = State.load(folder, state.places.shape)
        run.log(f"going on from the checkpoint after iteration {done}")
    step = None if params.learning_rate == "auto" else params.learning_rate
    plan = Plan(params.early_exaggeration_iter, params.max_iter, params.early_exaggeration, step)

    kept = done

    def told(iteration: int, divergence: float, now: State) -> bool:
        nonlocal kept
        run.report("train:kl_divergence", divergence, epoch=iteration)
        run.progress(100 * iteration / params.max_iter)
        if kept + _CHECKPOINT_ITERATIONS <= iteration < params.max_iter:
            run.checkpoints.save(iteration, now.save)
            kept = iteration
        if run.stop:
            run.log(f"stopped after {iteration} iterations; the map is as it was then")
        return run.stop

    places = descend(affinities, state, done, plan, told).places
    middle = (places.max(axis=0) + places.min(axis=0)) / 2
    return np.asarray(places - middle, dtype=np.float32)


def _beginning(run: TSNERun, rows: Floats, rng: np.random.Generator) -> Doubles:
    """(rows, num_components), close together."""
    count, dimensions = len(rows), run.params.num_components
    if run.params.init == "random":
        return np.asarray(_SPREAD * rng.standard_normal((count, dimensions)))
    center = rows.mean(axis=0, dtype=np.float64)
    axes = principal_axes(rows, center, min(dimensions, *rows.shape), rng)
    places = np.zeros((count, dimensions))
    places[:, : axes.shape[1]] = Reduction(center, axes, unit=False).reduced(rows)
    longest = places.std(axis=0).max()
    places *= _SPREAD / longest if longest > 0 else 0.0
    # Rows that are equal may not begin at one place: they would stay there
    return places + _JITTER * _SPREAD * rng.standard_normal(places.shape)


def _place_all(run: TSNERun, model: TSNEModel, drawn: Drawn) -> None:
    """Give the model the places of all rows, and write them into the output folder."""
    places, label = model.places, drawn.label
    if not drawn.is_whole:
        if run.stopped_anywhere():
            run.log("stopped before the rows beyond the sample were placed")
            return
        places, label = _placed(run, model, drawn)
    model.everywhere = places
    if run.cluster.is_leader and run.output:
        write_table(run.output, places, label)


def _placed(run: TSNERun, model: TSNEModel, drawn: Drawn) -> tuple[Floats, Floats | None]:
    """The places and labels of all hosts' rows."""
    mine = drawn.numbers_of_host(run.cluster.rank)
    places, labels = [], []
    for batch in run.train.batches(READ_ROWS, 1) if mine else ():
        rows = model.reduction.reduced(features_of(batch, model.width, run.train.name))
        # A row of the map stays where it is
        places.append(model.place(rows))
        labels.append(colors(batch))
    none = np.zeros((0, model.places.shape[1]), np.float32)
    everywhere = np.concatenate(run.cluster.gather(np.concatenate([none, *places])))
    everywhere[drawn.numbers] = model.places
    if drawn.label is None:
        return everywhere, None
    known = [np.zeros(0, np.float32), *(one for one in labels if one is not None)]
    return everywhere, np.concatenate(run.cluster.gather(np.concatenate(known)))
