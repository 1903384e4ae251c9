"""The merged centers, refined by Lloyd's algorithm on a sample of the rows.

The rows in the sample that went to one extra center are a stratum. Weight and mean of all rows of a
stratum are known, so those of the sample are made equal to them. Then a cluster's mean is exact
wherever whole strata belong to it, and the sample decides only how its borders cut through strata.
With all rows in the sample, this is Lloyd's algorithm on the data.
"""

from __future__ import annotations

import numpy as np

from clary.algorithms.kmeans.assignment import Doubles, Rows, dense_rows
from clary.algorithms.kmeans.lloyd import Clustering, Lloyd
from clary.algorithms.kmeans.merging import greedy_start
from clary.algorithms.kmeans.sample import Drawn
from clary.algorithms.kmeans.spec import KMeansHyperparameters
from clary.codecs.batch import Floats
from clary.kit.parallel import ordered_map
from clary.kit.run import Run

# Where refining takes away more than this of the loss, the extra centers were poor ones
_POOR = 0.05


def refined(
    run: Run[KMeansHyperparameters],
    start: Doubles,
    drawn: Drawn,
    strata: tuple[Doubles, Doubles],
    lloyd: Lloyd,
    rng: np.random.Generator,
) -> Clustering:
    """Better centers than `start`, (k, width).

    strata: means (K, width) and weights (K,) of all rows that went to each extra center.
    """
    rows, lonely = _fitted(run, drawn, strata, lloyd.origin)
    chunks = [*rows.chunks(), *lonely.chunks()]
    found = lloyd.run(chunks, start, ordered_map, run.cluster)
    if found.msd >= (1 - _POOR) * found.first_msd:
        return found
    # As when rows come sorted: the first mini-batch, where all centers began, is like no other
    anew = start
    if rows.count:
        chosen = greedy_start(rows, len(start), lloyd.origin, rng)
        anew = dense_rows(rows.features, np.resize(chosen, len(start)), lloyd.origin)
    other = lloyd.run(chunks, run.cluster.broadcast(anew), ordered_map, run.cluster)
    return min(found, other, key=lambda clustering: clustering.msd)


def _fitted(
    run: Run[KMeansHyperparameters],
    drawn: Drawn,
    strata: tuple[Doubles, Doubles],
    origin: Floats,
) -> tuple[Rows, Rows]:
    """The sample with the strata's weights and, where it is dense, their means.

    Strata of which no host's sample has rows come second: their means stand for them.
    """
    means, weights = strata
    sums, totals = drawn.summed(len(weights), origin)
    sums, totals = run.cluster.all_reduce(sums), run.cluster.all_reduce(totals)
    seen = totals > 0
    shift = np.zeros(means.shape, np.float32)
    shift[seen] = means[seen] - sums[seen] / totals[seen, None]
    for chunk, labels in drawn.chunks():
        if isinstance(chunk.features, np.ndarray):
            np.add(chunk.features, shift[labels], out=chunk.features)
    scale = np.divide(weights, totals, out=np.zeros(len(weights)), where=seen)
    rows = Rows(drawn.rows.features, drawn.rows.weights_or_ones() * scale[drawn.labels])
    alone = ~seen & (weights > 0) & run.cluster.is_leader
    return rows, Rows((means[alone] + origin).astype(np.float32), weights[alone])
