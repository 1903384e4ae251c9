"""New rows placed into a finished map, each for itself.

P. Poličar, M. Stražar and B. Zupan, "Embedding to reference t-SNE space addresses batch effects in
single-cell classification" (2019): a row begins at the median of its nearest neighbors' places and
moves as t-SNE's points do, while the map stands still. Settings are theirs.
"""

from __future__ import annotations

import numpy as np

from clary.algorithms.tsne.affinities import highest_perplexity, likelihoods, neighbors_for
from clary.algorithms.tsne.neighbors import Integers, Nearest, References
from clary.algorithms.tsne.tree import Doubles, grown, pushed, square_apart
from clary.codecs.batch import Floats
from clary.kernels import kernel
from clary.kit.parallel import spread

_PERPLEXITY, _MEDIAN_OF = 5.0, 25
_ITERATIONS, _STEP, _MOMENTUM, _ATTRACTION = 250, 0.1, 0.8, 1.5
_LONGEST_GRADIENT = 0.25
_LEAST_GAIN = 0.01
# A point that moves less from here on stays in its pixel
_STILL = 1e-6
_CHUNK_ROWS = 128


class Placing:
    """A map, (rows, dimensions), and the rows that it shows, (rows, width)."""

    def __init__(self, rows: Floats, places: Floats, metric: str) -> None:
        self._references = References(rows)
        self._places = places.astype(np.float64)
        self._metric = metric
        self._tree = grown(self._places)

    def place(self, rows: Floats) -> Floats:
        """(rows, dimensions); a row that the map shows stays where it is."""

        def work(start: int) -> Floats:
            return self._placed(rows[start : start + _CHUNK_ROWS])

        chunks = spread(work, range(0, len(rows), _CHUNK_ROWS))
        none = np.zeros((0, self._places.shape[1]), np.float32)
        return np.concatenate([none, *chunks])

    def _placed(self, rows: Floats) -> Floats:
        count = self._references.count
        nearest = self._references.nearest(rows, min(_MEDIAN_OF, count))
        moved = np.median(self._places[nearest.places], axis=1)
        perplexity = min(_PERPLEXITY, highest_perplexity(count))
        few = neighbors_for(perplexity, count)
        attracting = Nearest(nearest.places[:, :few], nearest.squares[:, :few])
        pull = _ATTRACTION * likelihoods(attracting, perplexity, self._metric)
        _descend(moved, attracting.places, pull, self._places, *self._tree.arrays)
        known = nearest.squares[:, 0] == 0
        moved[known] = self._places[nearest.places[known, 0]]
        return moved.astype(np.float32)


@kernel
def _descend(
    moved: Doubles,
    neighbors: Integers,
    pull: Doubles,
    places: Doubles,
    points: Doubles,
    starts: Integers,
    ends: Integers,
    centers: Doubles,
    widths: Doubles,
    following: Integers,
) -> None:
    """Gradient descent with momentum and gains, row by row."""
    rows, dimensions = moved.shape
    gradient, push = np.empty(dimensions), np.empty(dimensions)
    for i in range(rows):
        step, gain = np.zeros(dimensions), np.ones(dimensions)
        for _ in range(_ITERATIONS):
            total = pushed(moved, i, push, points, starts, ends, centers, widths, following)
            for d in range(dimensions):
                gradient[d] = -push[d] / total
            for k in range(neighbors.shape[1]):
                other = neighbors[i, k]
                weight = pull[i, k] / (1 + square_apart(moved, i, places, other))
                for d in range(dimensions):
                    gradient[d] += weight * (moved[i, d] - places[other, d])
            length, farthest = 1e-12, 0.0
            for d in range(dimensions):
                length += gradient[d] ** 2
            shrink = min(1.0, _LONGEST_GRADIENT / np.sqrt(length))
            for d in range(dimensions):
                downhill = gradient[d] * shrink
                if np.sign(step[d]) == np.sign(downhill):
                    gain[d] = gain[d] * 0.8 + _LEAST_GAIN
                else:
                    gain[d] += 0.2
                step[d] = _MOMENTUM * step[d] - _STEP * gain[d] * downhill
                moved[i, d] += step[d]
                farthest = max(farthest, abs(step[d]))
            if farthest < _STILL:
                break
