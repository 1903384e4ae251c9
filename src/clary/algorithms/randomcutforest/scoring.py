"""How unlike the rows of its trees a row is, and which of its features make it so.

The score of a row in a tree is what it would add to the tree's complexity: with the chance p of
being cut off at a node of depth d comes 1 / (d + 1), a row that gets to a leaf counts by the leaf's
depth. So it is, with the same constants, in AWS's own library, random-cut-forest-by-aws.
"""

from __future__ import annotations

import numpy as np

from clary.algorithms.randomcutforest.trees import (
    Doubles,
    Floats,
    Integers,
    Trees,
    total_side,
)
from clary.kernels import kernel


@kernel
def add_scores(trees: Trees, rows: Floats, totals: Doubles) -> None:
    """Add to `totals`, (rows,), what each of the rows, (rows, width), scores in all trees.

    All is in one loop over plain arrays, which takes half the time of calls with views of them.
    """
    path, width = np.empty(trees.mass.shape[1] + 1, np.int32), rows.shape[1]
    for tree in range(len(trees.held)):
        held, root = trees.held[tree], trees.root[tree]
        if held == 0:
            continue
        scale = np.log2(1.0 + held)
        feature, value, left, right = _cuts(trees, tree)
        low, high, extent = trees.low[tree], trees.high[tree], trees.extent[tree]
        points, copies = trees.points[tree], trees.copies[tree]
        for row in range(len(rows)):
            node, depth = root, 0
            while node >= 0:
                path[depth] = node
                depth += 1
                is_left = rows[row, feature[node]] <= value[node]
                node = left[node] if is_left else right[node]
            place = 0
            while place < width and points[~node, place] == rows[row, place]:
                place += 1
            if place == width:
                totals[row] += scale * known_score(depth, copies[~node], held)
                continue
            score = 1.0 / (depth + 1.0)
            for level in range(depth - 1, -1, -1):
                node = path[level]
                beyond = 0.0
                for each in range(width):
                    x = np.float64(rows[row, each])
                    above = x - np.float64(high[node, each])
                    beyond += max(0.0, max(np.float64(low[node, each]) - x, above))
                if beyond == 0.0:
                    break
                score += beyond / (extent[node] + beyond) * (1.0 / (level + 1.0) - score)
            totals[row] += scale * score


@kernel
def _cuts(trees: Trees, tree: int) -> tuple[Integers, Floats, Integers, Integers]:
    return trees.feature[tree], trees.value[tree], trees.left[tree], trees.right[tree]


@kernel
def known_score(depth: int, copies: int, held: int) -> float:
    """The score of a row that is in the leaf itself, of so many rows of the tree's."""
    return float((1.0 - copies / (2.0 * held)) / (depth + np.log2(1.0 + copies)))


@kernel
def way_down(trees: Trees, tree: int, row: Floats, path: Integers) -> tuple[int, int]:
    """The depth and the leaf that a row comes to; the inner nodes on its way are left in `path`."""
    node, depth = trees.root[tree], 0
    while node >= 0:
        path[depth] = node
        depth += 1
        if row[trees.feature[tree, node]] <= trees.value[tree, node]:
            node = trees.left[tree, node]
        else:
            node = trees.right[tree, node]
    return depth, ~node


@kernel
def excess(low: Floats, high: Floats, row: Floats) -> float:
    """How far a row lies outside of a box: the sum over features."""
    total = 0.0
    for feature in range(len(row)):
        x = np.float64(row[feature])
        total += max(0.0, np.float64(low[feature]) - x, x - np.float64(high[feature]))
    return total


@kernel
def add_attributions(trees: Trees, rows: Floats, totals: Doubles) -> None:
    """Add to `totals`, (rows, width), what each feature adds to each row's score in all trees.

    A cut that would part the row from a box does so by some feature, in proportion to how far the
    row lies beyond the box there. For a row that is in the tree, the boxes are those of the others.
    """
    inner, width = trees.mass.shape[1], rows.shape[1]
    path, shares = np.empty(inner + 1, np.int32), np.empty(width)
    low, high = np.empty(width, np.float32), np.empty(width, np.float32)
    for tree in range(len(trees.held)):
        if trees.held[tree] == 0:
            continue
        scale = np.log2(1.0 + trees.held[tree])
        for row in range(len(rows)):
            for feature in range(width):
                shares[feature] = 0.0
            depth, leaf = way_down(trees, tree, rows[row], path)
            point = trees.points[tree, leaf]
            if excess(point, point, rows[row]) > 0.0:
                _shares(trees, tree, rows[row], path, depth, leaf, shares)
                for feature in range(width):
                    totals[row, feature] += scale * shares[feature]
                continue
            _shares_of_known(trees, tree, rows[row], path, depth, leaf, shares, low, high)
            score = known_score(depth, trees.copies[tree, leaf], trees.held[tree])
            total = 0.0
            for feature in range(width):
                total += shares[feature]
            for feature in range(width):
                share = shares[feature] / total if total > 0.0 else 1.0 / width
                totals[row, feature] += scale * score * share


@kernel
def _shares(
    trees: Trees, tree: int, row: Floats, path: Integers, depth: int, leaf: int, shares: Doubles
) -> None:
    point = trees.points[tree, leaf]
    _fade_in(point, point, row, 0.0, 1.0 / (depth + 1.0), shares)
    for level in range(depth - 1, -1, -1):
        node = path[level]
        low, high, extent = trees.low[tree, node], trees.high[tree, node], trees.extent[tree, node]
        if not _fade_in(low, high, row, extent, 1.0 / (level + 1.0), shares):
            break


@kernel
def _shares_of_known(
    trees: Trees,
    tree: int,
    row: Floats,
    path: Integers,
    depth: int,
    leaf: int,
    shares: Doubles,
    low: Floats,
    high: Floats,
) -> None:
    """low, high: (width,), room for the box of the other rows."""
    below = ~leaf
    for level in range(depth - 1, -1, -1):
        node = path[level]
        other = trees.right[tree, node]
        if other == below:
            other = trees.left[tree, node]
        other_low = trees.low[tree, other] if other >= 0 else trees.points[tree, ~other]
        other_high = trees.high[tree, other] if other >= 0 else trees.points[tree, ~other]
        for feature in range(len(row)):
            if level == depth - 1:
                low[feature], high[feature] = other_low[feature], other_high[feature]
            low[feature] = min(low[feature], other_low[feature])
            high[feature] = max(high[feature], other_high[feature])
        if not _fade_in(low, high, row, total_side(low, high), 1.0 / (level + 1.0), shares):
            break
        below = node


@kernel
def _fade_in(
    low: Floats, high: Floats, row: Floats, extent: float, score: float, shares: Doubles
) -> bool:
    """Let what a node adds take its part of the shares; False if the row is within its box."""
    beyond = excess(low, high, row)
    if beyond == 0.0:
        return False
    whole = extent + beyond
    stays = extent / whole
    for feature in range(len(row)):
        x = np.float64(row[feature])
        side = max(0.0, np.float64(low[feature]) - x, x - np.float64(high[feature]))
        shares[feature] = shares[feature] * stays + score * side / whole
    return True
