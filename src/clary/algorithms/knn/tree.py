"""A k-d tree with tight boxes: exact search that looks at few of the rows where they have few
dimensions, or lie near a surface of few.

J. Friedman, J. Bentley, R. Finkel, "An algorithm for finding best matches in logarithmic expected
time", ACM TOMS 3 (1977); the boxes round the rows of each node are as in J. Omohundro's ball trees.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clary.algorithms.knn.nearest import (
    Array,
    Doubles,
    Floats,
    Integers,
    offer,
    settle,
    squared_distance,
)
from clary.kit.kernels import kernel

LEAF_ROWS = 32
# Twice the depth of a tree over more rows than there can be
_STACK = 128


class Tree(NamedTuple):
    """Nodes, each before its children; the root is the first.

    rows: (n, width), in their own order. order: (n,), places of rows, leaf after leaf.
    packed: (n · width,), the leaves' rows, column after column within a leaf.
    bounds: (nodes, 2), from where to where a node's rows stand in `order`.
    children: (nodes,), the left child, whose sibling is next; 0 for leaves.
    low, high: (nodes, width), the least box round a node's rows.
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
    most = 2 * max(1, -(-count // (LEAF_ROWS // 2))) + 1
    order = np.arange(count)
    bounds, children = np.zeros((most, 2), np.int64), np.zeros(most, np.int64)
    low, high = np.empty((most, width), np.float32), np.empty((most, width), np.float32)
    used = _split(rows, order, bounds, children, low, high)
    packed = np.empty(count * width, np.float32)
    _pack(rows, order, bounds[:used], children[:used], packed)
    kept: list[Array] = [part[:used].copy() for part in (bounds, children, low, high)]
    return Tree(rows, order, packed, kept[0], kept[1], kept[2], kept[3])


@kernel
def search(tree: Tree, queries: Floats, distances: Doubles, places: Integers) -> int:
    """Fill in the nearest rows, sorted, and their squared distances; how many rows were looked at.

    queries: (queries, width). distances, places: (queries, k), given as infinity and -1.
    """
    width = queries.shape[1]
    # What float32 makes of a sum of squares is off by less than this
    sure = 1 - (width + 4) * 2.0**-24
    sums = np.empty(LEAF_ROWS, np.float32)
    nodes, floors = np.empty(_STACK, np.int64), np.empty(_STACK, np.float64)
    seen = 0
    for i in range(len(queries)):
        query = queries[i]
        nodes[0], floors[0], height = 0, 0.0, 1
        while height:
            height -= 1
            node = nodes[height]
            if floors[height] > distances[i, 0]:
                continue
            left = tree.children[node]
            while left:
                near = _floor(query, tree.low[left], tree.high[left])
                far = _floor(query, tree.low[left + 1], tree.high[left + 1])
                node = left
                if far < near:
                    near, far, node = far, near, left + 1
                if far <= distances[i, 0]:
                    nodes[height], floors[height] = 2 * left + 1 - node, far
                    height += 1
                if near > distances[i, 0]:
                    break
                left = tree.children[node]
            if left:
                continue
            start, stop = tree.bounds[node]
            seen += stop - start
            _scan(tree, query, start, stop, sums)
            for place in range(stop - start):
                if sums[place] * sure <= distances[i, 0]:
                    row = tree.order[start + place]
                    offer(distances[i], places[i], squared_distance(query, tree.rows[row]), row)
    settle(distances, places)
    return seen


@kernel
def _floor(query: Floats, low: Floats, high: Floats) -> float:
    """No more than the squared distance to any row in the box."""
    a = b = 0.0
    for j in range(0, len(query) - 1, 2):
        gap = max(low[j] - np.float64(query[j]), np.float64(query[j]) - high[j], 0.0)
        a += gap * gap
        gap = max(
            low[j + 1] - np.float64(query[j + 1]), np.float64(query[j + 1]) - high[j + 1], 0.0
        )
        b += gap * gap
    if len(query) % 2:
        j = len(query) - 1
        gap = max(low[j] - np.float64(query[j]), np.float64(query[j]) - high[j], 0.0)
        a += gap * gap
    return (a + b) * (1 - 1e-12)


@kernel
def _scan(tree: Tree, query: Floats, start: int, stop: int, sums: Floats) -> None:
    """Squared distances to the rows of a leaf, in float32."""
    count = stop - start
    some = sums[:count]
    some[:] = 0
    for j in range(len(query)):
        begin = start * len(query) + j * count
        column = tree.packed[begin : begin + count]
        value = query[j]
        for place in range(count):
            gap = value - column[place]
            some[place] += gap * gap


@kernel
def _split(
    rows: Floats, order: Integers, bounds: Integers, children: Integers, low: Floats, high: Floats
) -> int:
    """Fill in the nodes, and put the rows in their order; how many nodes there are."""
    stack = np.empty(_STACK, np.int64)
    bounds[0, 0], bounds[0, 1] = 0, len(rows)
    stack[0], height, used = 0, 1, 1
    while height:
        height -= 1
        node = stack[height]
        start, stop = bounds[node]
        part = order[start:stop]
        _enclose(rows, part, low[node], high[node])
        if stop - start <= LEAF_ROWS:
            continue
        axis, widest = 0, np.float32(-1)
        for j in range(rows.shape[1]):
            if high[node, j] - low[node, j] > widest:
                axis, widest = j, high[node, j] - low[node, j]
        middle = (stop - start) // 2
        if widest > 0:
            _partition(rows[:, axis], part, middle)
        children[node] = used
        bounds[used, 0], bounds[used, 1] = start, start + middle
        bounds[used + 1, 0], bounds[used + 1, 1] = start + middle, stop
        stack[height], stack[height + 1] = used, used + 1
        height, used = height + 2, used + 2
    return used


@kernel
def _enclose(rows: Floats, part: Integers, low: Floats, high: Floats) -> None:
    low[:] = rows[part[0]]
    high[:] = rows[part[0]]
    for row in part:
        for j in range(rows.shape[1]):
            value = rows[row, j]
            low[j] = min(low[j], value)
            high[j] = max(high[j], value)


@kernel
def _partition(values: Floats, part: Integers, middle: int) -> None:
    """Hoare's selection: no value before the middle is above any from there on."""
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
def _pack(
    rows: Floats, order: Integers, bounds: Integers, children: Integers, packed: Floats
) -> None:
    for node in range(len(bounds)):
        if not children[node]:
            start, stop = bounds[node]
            for j in range(rows.shape[1]):
                for place in range(start, stop):
                    to = start * rows.shape[1] + j * (stop - start) + place - start
                    packed[to] = rows[order[place], j]
