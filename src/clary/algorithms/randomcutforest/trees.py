"""Random cut trees as arrays: their layout, how they are made, and their checks when they are read.

A node is a number: from 0 on an inner node, below 0 the leaf `~node`. An inner node cuts its rows
by one feature: those of at most the cut's value are on the left.

S. Guha, N. Mishra, G. Roy, O. Schrijvers, "Robust random cut forest based anomaly detection on
streams", ICML 2016.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.randomcutforest.chance import random_cut, uniform
from clary.kernels import kernel

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int32]
Places: TypeAlias = npt.NDArray[np.int64]
States: TypeAlias = npt.NDArray[np.uint64]

# Of the cut, its two children and its mass: the box follows from the points
NODE = np.dtype([("feature", "<i4"), ("value", "<f4"), ("left", "<i4"), ("right", "<i4")])


class Trees(NamedTuple):
    """All trees of a forest; the first dimension of each array is the tree.

    held: (trees,), rows in each, at most the capacity. root: (trees,), unread where held is 0.
    points: (trees, capacity, width), of leaves. copies: (trees, capacity), rows that are equal to
        that point; 0 marks a free leaf.
    feature, value, left, right, mass: (trees, capacity - 1), of inner nodes: the cut, the children,
        and the rows below; mass 0 marks a free node.
    low, high, extent: bounding boxes, (trees, capacity - 1, width), and the sum of their sides.
    """

    held: Integers
    root: Integers
    points: Floats
    copies: Integers
    feature: Integers
    value: Floats
    left: Integers
    right: Integers
    mass: Integers
    low: Floats
    high: Floats
    extent: Doubles


def empty_trees(trees: int, capacity: int, width: int) -> Trees:
    """Trees without rows."""
    inner = max(capacity - 1, 1)
    return Trees(
        held=np.zeros(trees, np.int32),
        root=np.zeros(trees, np.int32),
        points=np.zeros((trees, capacity, width), np.float32),
        copies=np.zeros((trees, capacity), np.int32),
        feature=np.zeros((trees, inner), np.int32),
        value=np.zeros((trees, inner), np.float32),
        left=np.zeros((trees, inner), np.int32),
        right=np.zeros((trees, inner), np.int32),
        mass=np.zeros((trees, inner), np.int32),
        low=np.zeros((trees, inner, width), np.float32),
        high=np.zeros((trees, inner, width), np.float32),
        extent=np.zeros((trees, inner), np.float64),
    )


def enlarged(trees: Trees, capacity: int) -> Trees:
    """The same trees with room for more rows."""
    wider = empty_trees(len(trees.held), capacity, trees.points.shape[2])
    for name in Trees._fields:
        old, new = getattr(trees, name), getattr(wider, name)
        if old.ndim == 1:
            new[:] = old
        else:
            new[:, : old.shape[1]] = old
    return wider


@kernel
def build(trees: Trees, tree: int, rows: Floats, states: States, leaves: Integers) -> None:
    """Fill an empty tree with rows, (count, width), and tell in `leaves` where each went.

    The box of the rows is cut by a feature drawn in proportion to the box's sides, at a point drawn
    evenly along that side; so are both parts, down to rows that are equal.
    """
    count = len(rows)
    trees.held[tree] = count
    order = np.empty(count, np.int64)
    for row in range(count):
        order[row] = row
    # Parts still to be cut: where in `order`, below which node, and on which side of it
    starts, stops = np.empty(count, np.int64), np.empty(count, np.int64)
    parents, sides = np.empty(count, np.int64), np.empty(count, np.int64)
    starts[0], stops[0], parents[0], sides[0] = 0, count, -1, 0
    waiting, made = 1, 0
    while waiting:
        waiting -= 1
        start, stop = starts[waiting], stops[waiting]
        parent, side = parents[waiting], sides[waiting]
        extent = 0.0
        if stop - start > 1:
            extent = _box_of_rows(trees, tree, made, rows, order[start:stop])
        if extent == 0.0:
            node = ~order[start]
            _make_leaf(trees, tree, rows, order[start:stop], leaves)
        else:
            node, made = made, made + 1
            low, high = trees.low[tree, node], trees.high[tree, node]
            feature, value = random_cut(low, high, low, uniform(states, tree) * extent)
            middle = start + _parted(rows, order[start:stop], feature, value)
            trees.feature[tree, node], trees.value[tree, node] = feature, value
            trees.mass[tree, node], trees.extent[tree, node] = stop - start, extent
            starts[waiting], stops[waiting] = middle, stop
            parents[waiting], sides[waiting] = node, 1
            starts[waiting + 1], stops[waiting + 1] = start, middle
            parents[waiting + 1], sides[waiting + 1] = node, 0
            waiting += 2
        if parent < 0:
            trees.root[tree] = node
        elif side == 0:
            trees.left[tree, parent] = node
        else:
            trees.right[tree, parent] = node


@kernel
def _box_of_rows(trees: Trees, tree: int, node: int, rows: Floats, chosen: Places) -> float:
    low, high = trees.low[tree, node], trees.high[tree, node]
    for feature in range(rows.shape[1]):
        low[feature] = high[feature] = rows[chosen[0], feature]
    for place in range(1, len(chosen)):
        row = chosen[place]
        for feature in range(rows.shape[1]):
            low[feature] = min(low[feature], rows[row, feature])
            high[feature] = max(high[feature], rows[row, feature])
    return total_side(low, high)


@kernel
def _make_leaf(trees: Trees, tree: int, rows: Floats, chosen: Places, leaves: Integers) -> None:
    leaf = chosen[0]
    for feature in range(rows.shape[1]):
        trees.points[tree, leaf, feature] = rows[leaf, feature]
    trees.copies[tree, leaf] = len(chosen)
    for place in range(len(chosen)):
        leaves[chosen[place]] = leaf


@kernel
def _parted(rows: Floats, chosen: Places, feature: int, value: float) -> int:
    """Bring those that go left to the front; how many they are."""
    front, back = 0, len(chosen) - 1
    while front <= back:
        if rows[chosen[front], feature] <= value:
            front += 1
        else:
            chosen[front], chosen[back] = chosen[back], chosen[front]
            back -= 1
    return front


@kernel
def total_side(low: Floats, high: Floats) -> float:
    """The sum of a box's sides."""
    total = 0.0
    for feature in range(len(low)):
        total += np.float64(high[feature]) - np.float64(low[feature])
    return total


@kernel
def box_of_children(trees: Trees, tree: int, node: int) -> bool:
    """Make a node's box that of both its children; whether it is another one now."""
    low, high = trees.low[tree, node], trees.high[tree, node]
    left, right = trees.left[tree, node], trees.right[tree, node]
    left_low = trees.low[tree, left] if left >= 0 else trees.points[tree, ~left]
    left_high = trees.high[tree, left] if left >= 0 else trees.points[tree, ~left]
    right_low = trees.low[tree, right] if right >= 0 else trees.points[tree, ~right]
    right_high = trees.high[tree, right] if right >= 0 else trees.points[tree, ~right]
    changed = False
    for feature in range(len(low)):
        least = min(left_low[feature], right_low[feature])
        most = max(left_high[feature], right_high[feature])
        changed = changed or least != low[feature] or most != high[feature]
        low[feature], high[feature] = least, most
    trees.extent[tree, node] = total_side(low, high)
    return changed


@kernel
def complete(trees: Trees) -> bool:
    """Work out boxes and masses of trees that were read from a file; False if they are no trees.

    Nothing is taken on trust: numbers out of bounds, circles and wrong counts are found.
    """
    sound = True
    for tree in range(len(trees.held)):
        sound = _complete_tree(trees, tree) and sound
    return sound


@kernel
def _complete_tree(trees: Trees, tree: int) -> bool:
    capacity, inner, width = trees.copies.shape[1], trees.mass.shape[1], trees.points.shape[2]
    rows_there = 0
    for node in range(inner):
        trees.mass[tree, node] = 0
    for leaf in range(capacity):
        rows_there += trees.copies[tree, leaf]
    if rows_there != trees.held[tree] or rows_there == 0:
        return bool(rows_there == trees.held[tree])
    order, waiting = np.empty(inner, np.int32), np.empty(capacity + 1, np.int32)
    waiting[0], left_over, seen, rows, leaves = trees.root[tree], 1, 0, 0, 0
    while left_over:
        left_over -= 1
        node = waiting[left_over]
        if node < 0:
            if ~node >= capacity or trees.copies[tree, ~node] < 1 or leaves == capacity:
                return False
            rows += trees.copies[tree, ~node]
            leaves += 1
            continue
        if node >= inner or trees.mass[tree, node] != 0:
            return False
        if not 0 <= trees.feature[tree, node] < width:
            return False
        trees.mass[tree, node] = 1
        order[seen] = node
        seen += 1
        if left_over + 2 > capacity:
            return False
        waiting[left_over] = trees.left[tree, node]
        waiting[left_over + 1] = trees.right[tree, node]
        left_over += 2
    for place in range(seen - 1, -1, -1):
        node = order[place]
        box_of_children(trees, tree, node)
        if not _cut_parts(trees, tree, node):
            return False
        trees.mass[tree, node] = mass_of(trees, tree, trees.left[tree, node]) + mass_of(
            trees, tree, trees.right[tree, node]
        )
    return rows == rows_there


@kernel
def _cut_parts(trees: Trees, tree: int, node: int) -> bool:
    """Whether the rows on either side are where the cut sends them."""
    feature, value = trees.feature[tree, node], trees.value[tree, node]
    left, right = trees.left[tree, node], trees.right[tree, node]
    most = trees.high[tree, left, feature] if left >= 0 else trees.points[tree, ~left, feature]
    least = trees.low[tree, right, feature] if right >= 0 else trees.points[tree, ~right, feature]
    return bool(most <= value < least)


@kernel
def mass_of(trees: Trees, tree: int, node: int) -> int:
    """Rows below a node."""
    return int(trees.mass[tree, node] if node >= 0 else trees.copies[tree, ~node])
