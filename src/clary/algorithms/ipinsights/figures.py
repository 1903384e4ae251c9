"""What the report page shows: how scores lie, and the pairs that look wrong."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clary.algorithms.ipinsights.encoder import Floats
from clary.codecs.batch import Batch
from clary.kit.figures import Figure, Lines, Table

_BINS, _LISTED = 60, 15


def distributions(real: Floats, random: Floats, auc: float) -> Lines:
    """How often scores lie where, of real pairs and of ones with random addresses."""
    both = np.concatenate([real, random])
    low, high = np.percentile(both, (0.1, 99.9))
    edges = np.linspace(float(low), float(high), _BINS + 1)
    middles = ((edges[1:] + edges[:-1]) / 2).tolist()
    shares = {
        name: np.histogram(scores, edges)[0] / len(scores)
        for name, scores in (("real pairs", real), ("random addresses", random))
    }
    return Lines(
        "Scores of real pairs and of random ones",
        "dot product, the log odds of being real",
        "share",
        {name: (middles, share.tolist()) for name, share in shares.items()},
        caption=f"{len(real):,} pairs, beside as many with random addresses; area under the ROC "
        f"curve: {auc:.4f}. Real pairs on the left are the unusual ones.",
    )


def suspicious(rows: Batch, scores: Floats, random: Floats) -> Table:
    """The pairs with the lowest scores, each once."""
    entity, ip = rows.columns()
    pairs = pa.table({"entity": entity, "ip": ip, "score": pa.array(scores)})
    once = pairs.group_by(["entity", "ip"], use_threads=False).aggregate(
        [("score", "min"), ("score", "count")]
    )
    lowest = once.take(pc.sort_indices(once, [("score_min", "ascending")])[:_LISTED])
    counts = {one["values"]: one["counts"] for one in pc.value_counts(entity).to_pylist()}
    below = np.sort(random)
    found = [
        [
            one["entity"],
            one["ip"],
            f"{one['score_min']:.2f}",
            f"{np.searchsorted(below, one['score_min']) / len(below):.1%}",
            f"{one['score_count']:,}",
            f"{counts[one['entity']]:,}",
        ]
        for one in lowest.to_pylist()
    ]
    return Table(
        "The most suspicious pairs",
        ["entity", "ip", "dot product", "random pairs below", "times", "pairs of the entity"],
        found,
        f"The lowest dot products of {len(scores):,} pairs. Those of an entity that train lacks "
        "mean nothing.",
    )


def figures(rows: Batch, real: Floats, random: Floats, auc: float) -> list[Figure]:
    """All pictures of some pairs, `real` being their scores and `random` those beside them."""
    return [distributions(real, random, auc), suspicious(rows, real, random)]
