"""A k-d tree with tight boxes: exact search that looks at few of the rows where they have few
dimensions, or lie near a surface of few.

J. Friedman, J. Bentley, R. Finkel, "An algorithm for finding best matches in logarithmic expected
time", ACM TOMS 3 (1977). Leaves are full and stored column after column, so that the distances to
all their rows are found by vector instructions in float32; those that may count are computed anew.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clary.algorithms.knn.nearest import (
    Doubles,
    Floats,
    Integers,
    offer,
    settle,
    squared_distance,
)
from clary.kernels import kernel

_LEAF_ROWS = 64
# More than the depth of a tree over as many rows as there can be
_DEPTH = 64
# Columns that are added up at a time
_COLUMNS = 4


class Tree(NamedTuple):
    """Nodes, each before its children; the root is the first.

    rows: (n, width), in their own order. order: (n,), places of rows, leaf after leaf.
    packed: (leaves · columns, leaf rows), each leaf's columns, which are the width filled up with
    zeros to a multiple of four; rows that the last leaf lacks are infinite.
    bounds: (nodes, 2), from where to where a node's rows stand in `order`.
    children: (nodes,), the left child, whose sibling is next; 0 for leaves.
    low, high: (nodes, columns), the least box round a node's rows.
    """

    rows: Floats
    order: Integers
    packed: Floats
    bounds: Integers
    children: Integers
    low: Floats
    high: Floats


def planted(rows: Floats) -> Tree:
    """The tree of rows, of which there is one at least."""
    count, width = rows.shape
    leaves, columns = -(-count // _LEAF_ROWS), -(-width // _COLUMNS) * _COLUMNS
    most = 2 * leaves - 1
    order = np.arange(count)
    bounds, children = np.zeros((most, 2), np.int64), np.zeros(most, np.int64)
    low, high = np.zeros((most, columns), np.float32), np.zeros((most, columns), np.float32)
    _split(rows, order, bounds, children, low, high)
    packed = np.zeros((leaves * columns, _LEAF_ROWS), np.float32)
    _pack(rows, order, packed)
    return Tree(rows, order, packed, bounds, children, low, high)


@kernel
def search(tree: Tree, queries: Floats, distances: Doubles, places: Integers) -> int:
    """Fill in the nearest rows, sorted, and their squared distances; how many rows were looked at.

    queries: (queries, width). distances, places: (queries, k), given as infinity and -1.
    """
    width, columns = queries.shape[1], tree.low.shape[1]
    # A sum of squares in float32 is more than the true one by less than this
    slack = 1 - (columns + 8) * 2.0**-23
    query, sums = np.zeros(columns, np.float32), np.empty(_LEAF_ROWS, np.float32)
    nodes, floors = np.empty(_DEPTH, np.int64), np.empty(_DEPTH, np.float32)
    seen = 0
    for i in range(len(queries)):
        query[:width] = queries[i]
        nodes[0], floors[0], height = 0, 0.0, 1
        limit = np.float32(np.inf)
        while height:
            height -= 1
            node, floor = nodes[height], floors[height]
            while floor <= limit and tree.children[node]:
                left = tree.children[node]
                near, far = _floor(tree, left, query), _floor(tree, left + 1, query)
                node, floor, other, rest = left, near, left + 1, far
                if far < near:
                    node, floor, other, rest = left + 1, far, left, near
                if rest <= limit:
                    nodes[height], floors[height] = other, rest
                    height += 1
            if floor > limit:
                continue
            start, stop = tree.bounds[node, 0], tree.bounds[node, 1]
            seen += stop - start
            if _scan(tree.packed, start // _LEAF_ROWS * columns, query, sums, limit):
                for place in range(stop - start):
                    if sums[place] <= limit:
                        row = tree.order[start + place]
                        distance = squared_distance(queries[i], tree.rows[row])
                        offer(distances[i], places[i], distance, row)
                        limit = np.float32(distances[i, 0] / slack)
    settle(distances, places)
    return seen


@kernel
def _floor(tree: Tree, node: int, query: Floats) -> np.float32:
    """The squared distance to a node's box, rounded."""
    a = b = np.float32(0)
    low, high, nothing = tree.low, tree.high, np.float32(0)
    for j in range(0, len(query), 2):
        gap = max(max(low[node, j] - query[j], query[j] - high[node, j]), nothing)
        a += gap * gap
        gap = max(max(low[node, j + 1] - query[j + 1], query[j + 1] - high[node, j + 1]), nothing)
        b += gap * gap
    return a + b


@kernel
def _scan(packed: Floats, first: int, query: Floats, sums: Floats, limit: np.float32) -> np.int32:
    """Squared distances to the rows of a leaf, rounded; how many are within the limit."""
    for place in range(_LEAF_ROWS):
        sums[place] = 0
    for j in range(0, len(query), 4):
        a, b, c, d = query[j], query[j + 1], query[j + 2], query[j + 3]
        for place in range(_LEAF_ROWS):
            e, f = a - packed[first + j, place], b - packed[first + j + 1, place]
            g, h = c - packed[first + j + 2, place], d - packed[first + j + 3, place]
            sums[place] += (e * e + f * f) + (g * g + h * h)
    near = np.int32(0)
    for place in range(_LEAF_ROWS):
        near += np.int32(sums[place] <= limit)
    return near


@kernel
def _split(
    rows: Floats, order: Integers, bounds: Integers, children: Integers, low: Floats, high: Floats
) -> None:
    """Fill in the nodes, and put the rows in their order."""
    stack = np.empty(_DEPTH, np.int64)
    bounds[0, 0], bounds[0, 1] = 0, len(rows)
    stack[0], height, used = 0, 1, 1
    while height:
        height -= 1
        node = stack[height]
        start, stop = bounds[node, 0], bounds[node, 1]
        part = order[start:stop]
        axis = _enclose(rows, part, low[node], high[node])
        if stop - start <= _LEAF_ROWS:
            continue
        middle = (stop - start + _LEAF_ROWS - 1) // _LEAF_ROWS // 2 * _LEAF_ROWS
        if low[node, axis] < high[node, axis]:
            _partition(rows[:, axis], part, middle)
        children[node] = used
        bounds[used, 0], bounds[used, 1] = start, start + middle
        bounds[used + 1, 0], bounds[used + 1, 1] = start + middle, stop
        stack[height], stack[height + 1] = used, used + 1
        height, used = height + 2, used + 2


@kernel
def _enclose(rows: Floats, part: Integers, low: Floats, high: Floats) -> int:
    """The box, and along which axis it is longest."""
    width = rows.shape[1]
    low[:width] = rows[part[0]]
    high[:width] = rows[part[0]]
    for row in part:
        for j in range(width):
            low[j] = min(low[j], rows[row, j])
            high[j] = max(high[j], rows[row, j])
    return int(np.argmax(high - low))


@kernel
def _partition(values: Floats, part: Integers, middle: int) -> None:
    """C. Hoare's selection: afterwards no value before the middle is above any from there on."""
    left, right = 0, len(part) - 1
    while left < right:
        a, b, c = values[part[left]], values[part[(left + right) // 2]], values[part[right]]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = left, right
        while i <= j:
            while values[part[i]] < pivot:
                i += 1
            while values[part[j]] > pivot:
                j -= 1
            if i <= j:
                part[i], part[j] = part[j], part[i]
                i += 1
                j -= 1
        if middle <= j:
            right = j
        elif middle >= i:
            left = i
        else:
            return


@kernel
def _pack(rows: Floats, order: Integers, packed: Floats) -> None:
    count, width = rows.shape
    leaves = -(-count // _LEAF_ROWS)
    columns = len(packed) // leaves
    for leaf in range(leaves):
        for place in range(_LEAF_ROWS):
            at = leaf * _LEAF_ROWS + place
            for j in range(width):
                value = rows[order[at], j] if at < count else np.float32(np.inf)
                packed[leaf * columns + j, place] = value
