"""What missing features of a row are likely to be: those of the row that each tree finds nearest.

Where a tree is cut by a missing feature both sides are looked at, and the row of the lesser score
is taken, as in AWS's own library.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clary.algorithms.randomcutforest.scoring import known_score
from clary.algorithms.randomcutforest.trees import Doubles, Floats, Integers, Trees
from clary.kernels import kernel

Flags = npt.NDArray[np.bool_]

_BOUNDS = (0.1, 0.5, 0.9)


class Forecast(NamedTuple):
    """Rows to come, (horizon, width): the median of what the trees say, and 10 and 90 % of it."""

    values: Floats
    lower: Floats
    upper: Floats


def imputed(trees: Trees, rows: Floats, size: int) -> Floats:
    """The rows, (rows, width), with what is missing (NaN) filled in by the median of the trees.

    size: of a shingle. A row is looked at together with those before it, which are filled by then;
    rows before the first are missing, too.
    """
    width = rows.shape[1]
    series = np.concatenate([np.full((size - 1, width), np.nan, np.float32), rows])
    for place in range(len(rows)):
        row = series[place + size - 1]
        gaps = np.isnan(row)
        if gaps.any():
            found = _candidates(trees, series[place : place + size])
            row[gaps] = np.median(found[:, -width:][:, gaps], axis=0)
    return series[size - 1 :]


def forecast(trees: Trees, last_rows: Floats, size: int, horizon: int) -> Forecast:
    """What comes after the last rows, (size - 1, width): each row is imputed and goes on.

    As each row is taken for known when the next is looked for, the bounds tell what single steps
    may bring, not what adds up.
    """
    width = trees.points.shape[2] // size
    series = np.concatenate([last_rows, np.full((horizon, width), np.nan, np.float32)])
    lower, upper = np.empty((horizon, width), np.float32), np.empty((horizon, width), np.float32)
    for step in range(horizon):
        found = _candidates(trees, series[step : step + size])[:, -width:]
        low, middle, high = np.quantile(found, _BOUNDS, axis=0)
        series[step + size - 1], lower[step], upper[step] = middle, low, high
    return Forecast(series[size - 1 :], lower, upper)


def _candidates(trees: Trees, shingle: Floats) -> Doubles:
    """The point that each tree finds nearest: (trees that hold any, size * width)."""
    row, leaves = np.ascontiguousarray(shingle).reshape(-1), np.zeros(len(trees.held), np.int32)
    find_nearest(trees, row, np.isnan(row), leaves)
    held = np.flatnonzero(trees.held > 0)
    # The middle of two large numbers would be infinite in float32
    return trees.points[held, leaves[held]].astype(np.float64)


@kernel
def find_nearest(trees: Trees, row: Floats, missing: Flags, leaves: Integers) -> None:
    """The leaf, for each tree, of the row that is nearest by the features that are not missing."""
    inner = trees.mass.shape[1]
    # Of inner nodes: the depth, the best score below, and its leaf
    depths, order = np.empty(inner, np.int32), np.empty(inner, np.int32)
    scores, best = np.empty(inner), np.empty(inner, np.int32)
    for tree in range(len(trees.held)):
        if trees.held[tree] == 0:
            continue
        root = trees.root[tree]
        if root < 0:
            leaves[tree] = ~root
            continue
        depths[root], order[0], seen, done = 0, root, 1, 0
        while done < seen:
            node = order[done]
            done += 1
            feature = trees.feature[tree, node]
            goes_left = row[feature] <= trees.value[tree, node]
            for child, taken in (
                (trees.left[tree, node], goes_left),
                (trees.right[tree, node], not goes_left),
            ):
                if child >= 0 and (taken or missing[feature]):
                    depths[child], order[seen] = depths[node] + 1, child
                    seen += 1
        for place in range(seen - 1, -1, -1):
            _settle(trees, tree, order[place], row, missing, depths, scores, best)
        leaves[tree] = best[root]


@kernel
def _settle(
    trees: Trees,
    tree: int,
    node: int,
    row: Floats,
    missing: Flags,
    depths: Integers,
    scores: Doubles,
    best: Integers,
) -> None:
    """The best score below a node, whose children are settled, and its leaf."""
    feature, least = trees.feature[tree, node], np.inf
    goes_left = row[feature] <= trees.value[tree, node]
    for child, taken in (
        (trees.left[tree, node], goes_left),
        (trees.right[tree, node], not goes_left),
    ):
        if not (taken or missing[feature]):
            continue
        if child >= 0:
            score, leaf = scores[child], best[child]
        else:
            score, leaf = _of_leaf(trees, tree, ~child, depths[node] + 1, row, missing), ~child
        if score < least:
            least, best[node] = score, leaf
    beyond = 0.0
    for each in range(len(row)):
        if not missing[each]:
            x = np.float64(row[each])
            low = np.float64(trees.low[tree, node, each])
            high = np.float64(trees.high[tree, node, each])
            beyond += max(0.0, low - x, x - high)
    chance = beyond / (trees.extent[tree, node] + beyond)
    scores[node] = least + chance * (1.0 / (depths[node] + 1.0) - least)


@kernel
def _of_leaf(trees: Trees, tree: int, leaf: int, depth: int, row: Floats, missing: Flags) -> float:
    for each in range(len(row)):
        if not missing[each] and trees.points[tree, leaf, each] != row[each]:
            return 1.0 / (depth + 1.0)
    return known_score(depth, trees.copies[tree, leaf], trees.held[tree])
