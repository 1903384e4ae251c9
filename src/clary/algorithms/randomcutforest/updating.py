"""Trees that follow a stream: a row comes into a tree's sample, another one leaves it.

Guha et al. 2016, algorithms 1 and 2: a tree from which a row was taken, or into which one was put,
has the same distribution as one grown anew from the rows that it holds.
"""

from __future__ import annotations

import numpy as np

from clary.algorithms.randomcutforest.chance import random_cut, uniform
from clary.algorithms.randomcutforest.scoring import excess
from clary.algorithms.randomcutforest.trees import (
    Doubles,
    Floats,
    Integers,
    States,
    Trees,
    box_of_children,
    mass_of,
    total_side,
)
from clary.kernels import kernel


@kernel
def follow(
    trees: Trees,
    keys: Doubles,
    leaves: Integers,
    greatest: Integers,
    states: States,
    row: Floats,
    clock: float,
) -> int:
    """Offer a row, (width,), to every tree; how many took it.

    keys, leaves: (trees, capacity), of each tree's sampled rows. The greatest key, with its row,
    gives way to a lesser one; `greatest`, (trees,), is where it is. clock: the logarithm of the
    row's weight.
    """
    taken, capacity = 0, keys.shape[1]
    for tree in range(len(trees.held)):
        key = np.log(-np.log(1.0 - uniform(states, tree))) - clock
        place = trees.held[tree]
        if place == capacity:
            place = greatest[tree]
            if key >= keys[tree, place]:
                continue
            remove(trees, tree, leaves[tree, place])
        keys[tree, place] = key
        leaves[tree, place] = insert(trees, tree, row, states)
        taken += 1
        place = 0
        for other in range(1, trees.held[tree]):
            if keys[tree, other] > keys[tree, place]:
                place = other
        greatest[tree] = place
    return taken


@kernel
def insert(trees: Trees, tree: int, row: Floats, states: States) -> int:
    """Put a row into a tree that has room for it; the leaf that it is in.

    From the root down a cut is drawn at each node from the box that holds the row, too. The first
    one that lies between row and box becomes a new node there.
    """
    trees.held[tree] += 1
    if trees.held[tree] == 1:
        leaf = _new_leaf(trees, tree, row)
        trees.root[tree] = ~leaf
        return leaf
    node, above, is_left = trees.root[tree], -1, False
    while True:
        if node >= 0:
            low, high = trees.low[tree, node], trees.high[tree, node]
        else:
            low = high = trees.points[tree, ~node]
        beyond = excess(low, high, row)
        if beyond > 0.0:
            extent = beyond if node < 0 else beyond + trees.extent[tree, node]
            feature, value = random_cut(low, high, row, uniform(states, tree) * extent)
            row_is_left = row[feature] <= value and low[feature] > value
            if row_is_left or (row[feature] > value and high[feature] <= value):
                leaf = _new_leaf(trees, tree, row)
                made = _new_node(trees, tree, node, feature, value)
                if row_is_left:
                    trees.left[tree, made], trees.right[tree, made] = ~leaf, node
                else:
                    trees.left[tree, made], trees.right[tree, made] = node, ~leaf
                box_of_children(trees, tree, made)
                _hang(trees, tree, above, is_left, made)
                return leaf
        elif node < 0:
            trees.copies[tree, ~node] += 1
            return int(~node)
        trees.mass[tree, node] += 1
        if beyond > 0.0:
            for feature in range(len(row)):
                low[feature] = min(low[feature], row[feature])
                high[feature] = max(high[feature], row[feature])
            trees.extent[tree, node] = total_side(low, high)
        above, is_left = node, row[trees.feature[tree, node]] <= trees.value[tree, node]
        node = trees.left[tree, node] if is_left else trees.right[tree, node]


@kernel
def remove(trees: Trees, tree: int, leaf: int) -> None:
    """Take one row of a leaf out of a tree; the leaf goes with its last row."""
    point = trees.points[tree, leaf]
    path = np.empty(trees.mass.shape[1] + 1, np.int32)
    node, depth = trees.root[tree], 0
    while node >= 0:
        path[depth] = node
        depth += 1
        trees.mass[tree, node] -= 1
        if point[trees.feature[tree, node]] <= trees.value[tree, node]:
            node = trees.left[tree, node]
        else:
            node = trees.right[tree, node]
    trees.held[tree] -= 1
    trees.copies[tree, leaf] -= 1
    if trees.copies[tree, leaf] > 0 or depth == 0:
        return
    parent = path[depth - 1]
    sibling = trees.right[tree, parent]
    if sibling == ~leaf:
        sibling = trees.left[tree, parent]
    trees.mass[tree, parent] = 0
    above = path[depth - 2] if depth > 1 else -1
    _hang(trees, tree, above, depth > 1 and trees.left[tree, above] == parent, sibling)
    for level in range(depth - 2, -1, -1):
        if not box_of_children(trees, tree, path[level]):
            break


@kernel
def _hang(trees: Trees, tree: int, above: int, is_left: bool, node: int) -> None:
    """Make a node the root, or a child of the node above."""
    if above < 0:
        trees.root[tree] = node
    elif is_left:
        trees.left[tree, above] = node
    else:
        trees.right[tree, above] = node


@kernel
def _new_leaf(trees: Trees, tree: int, row: Floats) -> int:
    """The first free one, so that it does not matter how places became free."""
    leaf = 0
    while trees.copies[tree, leaf] > 0:
        leaf += 1
    trees.copies[tree, leaf] = 1
    for feature in range(len(row)):
        trees.points[tree, leaf, feature] = row[feature]
    return leaf


@kernel
def _new_node(trees: Trees, tree: int, below: int, feature: int, value: float) -> int:
    made = 0
    while trees.mass[tree, made] > 0:
        made += 1
    trees.mass[tree, made] = mass_of(trees, tree, below) + 1
    trees.feature[tree, made], trees.value[tree, made] = feature, value
    return made
