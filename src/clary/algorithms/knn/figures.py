"""What the report page shows: how answers compare with labels, and what k does to them."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from clary.algorithms.knn.index import Searcher
from clary.algorithms.knn.nearest import Floats
from clary.algorithms.knn.spec import KNNHyperparameters
from clary.algorithms.knn.votes import answered
from clary.codecs.batch import Batch
from clary.kit.figures import Figure, Lines
from clary.kit.quality import confusion, regression

_MOST_ROWS, _MOST_NEIGHBORS = 2000, 50
# A distance so small beside the farthest neighbor's is rounding
_SAME = 1e-3


class Neighbors(Protocol):
    """What is asked of a model."""

    params: KNNHyperparameters
    searcher: Searcher
    normalize: bool

    @property
    def classes(self) -> Floats: ...

    def neighbors(self, batch: Batch, k: int) -> tuple[Floats, Floats]: ...


def figures_of(model: Neighbors, held_out: Batch, *, leave_out: bool) -> list[Figure]:
    """leave_out: whether the rows are of the sample, so that each is its own nearest neighbor."""
    source = "rows of train, each without itself" if leave_out else "held-out rows"
    if leave_out and model.searcher.product and not model.normalize:
        # The row with the greatest product may be another
        leave_out, source = False, "rows of train, which may be their own neighbors"
    rows = held_out.slice(0, _MOST_ROWS)
    label, params = rows.labels().reshape(-1), model.params
    k = min(params.k, model.searcher.rows - leave_out)
    most = min(max(_MOST_NEIGHBORS, k), model.searcher.rows - leave_out)
    if most < 1:
        return []
    distances, labels = model.neighbors(rows, most + leave_out)
    if leave_out:
        labels = _others(distances, labels)
    predicted = answered(labels[:, :k], params.predictor_type)
    effect = _effect(labels, label, k, params.predictor_type, source)
    if params.predictor_type == "regressor":
        return [*regression(label, predicted), effect]
    classes = np.unique(np.concatenate([model.classes, label]))
    codes = [np.searchsorted(classes, one) for one in (label, predicted)]
    names = [f"{one:g}" for one in classes]
    return [confusion(codes[0], codes[1], len(classes), names), effect]


def _others(distances: Floats, labels: Floats) -> Floats:
    """The labels without those of the rows themselves, or else without the farthest ones."""
    itself = distances[:, 0] <= _SAME * np.abs(distances[:, -1])
    return np.where(itself[:, None], labels[:, 1:], labels[:, :-1])


def _effect(labels: Floats, label: Floats, k: int, predictor_type: str, source: str) -> Lines:
    """The score for each number of neighbors: prefixes of one search."""
    tried = list(range(1, labels.shape[1] + 1))
    tried = [one for one in tried if one <= _MOST_NEIGHBORS or one == k]
    classifier = predictor_type == "classifier"
    name = "accuracy" if classifier else "root mean squared error"
    scores = []
    for one in tried:
        predicted = answered(labels[:, :one], predictor_type)
        errors = label.astype(np.float64) - predicted
        scores.append(float(np.mean(errors == 0) if classifier else np.sqrt(np.mean(errors**2))))
    best = int(np.argmax(scores) if classifier else np.argmin(scores))
    return Lines(
        "Effect of k",
        "k",
        name,
        {name: ([float(one) for one in tried], scores)},
        caption=f"On {len(label):,} {source}: {scores[tried.index(k)]:.4g} with k={k} as trained, "
        f"best {scores[best]:.4g} with k={tried[best]}. k can be changed in the model's JSON file.",
    )
