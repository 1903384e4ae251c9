"""How much rows are neighbors: probabilities that fall with distance, wider where rows are sparse.

L. van der Maaten and G. Hinton, "Visualizing data using t-SNE" (2008), over nearest neighbors only
as in L. van der Maaten, "Accelerating t-SNE using tree-based algorithms" (2014).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from clary.algorithms.tsne.neighbors import Nearest
from clary.algorithms.tsne.tree import Doubles
from clary.kernels import kernel

# Neighbors that are looked at for each unit of perplexity
_NEIGHBORS = 3
_TOLERANCE, _MOST_STEPS = 1e-8, 200


def neighbors_for(perplexity: float, references: int) -> int:
    """How many neighbors a perplexity asks for."""
    return min(references, int(_NEIGHBORS * perplexity))


def highest_perplexity(references: int) -> float:
    return references / _NEIGHBORS


def likelihoods(nearest: Nearest, perplexity: float, metric: str) -> Doubles:
    """(rows, count), each row of sum 1: a Gaussian's weights, as wide as the perplexity says."""
    squares = nearest.squares.astype(np.float64)
    if metric == "cosine":
        # Of unit rows, half the squared distance is one minus the cosine
        squares = (squares / 2) ** 2
    found = np.empty_like(squares)
    _calibrate(squares, np.log(perplexity), found)
    return found


def joint(nearest: Nearest, likelihood: Doubles) -> csr_array:
    """(rows, rows), symmetric and of sum 1."""
    count, each = likelihood.shape
    # openTSNE's kernels take 32 bits
    places, starts = nearest.places.astype(np.int32), np.arange(count + 1, dtype=np.int32) * each
    given = csr_array((likelihood.ravel(), places.ravel(), starts), shape=(count, count))
    return csr_array((given + given.T) / (2 * count))


@kernel
def _calibrate(squares: Doubles, entropy: float, found: Doubles) -> None:
    """Find for each row the width at which its weights have the entropy, by halving."""
    for i in range(len(squares)):
        low, high, rate = 0.0, np.inf, 1.0
        nearest = squares[i].min()
        for _ in range(_MOST_STEPS):
            total, mean = 0.0, 0.0
            for k in range(squares.shape[1]):
                weight = np.exp(-rate * (squares[i, k] - nearest))
                found[i, k] = weight
                total += weight
                mean += weight * (squares[i, k] - nearest)
            surplus = np.log(total) + rate * mean / total - entropy
            if abs(surplus) < _TOLERANCE:
                break
            if surplus > 0:
                low = rate
                rate = rate * 2 if high == np.inf else (low + high) / 2
            else:
                high = rate
                rate = (low + high) / 2
        found[i] /= total
