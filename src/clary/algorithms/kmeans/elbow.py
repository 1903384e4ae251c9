"""The elbow: how the mean squared distance falls as clusters become more."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from clary.algorithms.kmeans.assignment import Rows, dense_rows
from clary.algorithms.kmeans.lloyd import Lloyd
from clary.algorithms.kmeans.merging import greedy_start
from clary.codecs.batch import Floats
from clary.errors import CallerError
from clary.kit.figures import Lines
from clary.kit.parallel import ordered_map

_RANGE = re.compile(r"([1-9][0-9]{0,3})\.\.([1-9][0-9]{0,3})")
# Enough to see the bend; all numbers of clusters are tried on the same rows
_ROWS = 5000
_MOST_ITERATIONS, _TOLERANCE, _TRIALS = 20, 1e-3, 3


def numbers_of_clusters(options: Mapping[str, str]) -> range | None:
    """What the option `elbow` asks for: `2..20` means 2 to 20; None if it was not given.

    Raises:
        CallerError: it is no such range.
    """
    text = options.get("elbow")
    if text is None:
        return None
    found = _RANGE.fullmatch(text.replace(" ", ""))
    if not found or int(found[1]) > int(found[2]):
        raise CallerError.of("elbow", "must be a rising range such as 2..20", text)
    return range(int(found[1]), int(found[2]) + 1)


def elbow(
    rows: Rows, origin: Floats, sought: Sequence[int], rng: np.random.Generator
) -> Lines | None:
    """The curve over the numbers of clusters, as far as there are rows; None if there are too few.

    rows: a sample of the data.
    """
    kept = np.sort(rng.permutation(rows.count)[:_ROWS])
    some = Rows(rows.features[kept], rows.weights_or_ones()[kept])
    lloyd = Lloyd(_MOST_ITERATIONS, _TOLERANCE, origin)

    def msd(task: tuple[int, np.random.Generator]) -> float:
        k, draws = task
        starts = (greedy_start(some, k, origin, draws) for _ in range(_TRIALS))
        chunks = list(some.chunks())
        trials = (lloyd.run(chunks, dense_rows(some.features, rows, origin)) for rows in starts)
        return min(trial.msd for trial in trials)

    tried = [k for k in sought if k <= some.count]
    if not tried:
        return None
    found = list(ordered_map(msd, zip(tried, rng.spawn(len(tried)), strict=True)))
    return Lines(
        "Elbow",
        "clusters",
        "mean squared distance",
        {"sample of train": ([float(k) for k in tried], found)},
        caption=f"The best of {_TRIALS} trials each, on {some.count:,} rows. "
        "Beyond the bend, more clusters split what belongs together.",
    )
