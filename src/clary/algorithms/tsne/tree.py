"""Points of a map in nested boxes, so that far ones can be taken together.

J. Barnes and P. Hut, "A hierarchical O(N log N) force-calculation algorithm" (1986).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.kernels import kernel

Doubles: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]

_LEAF_POINTS = 8
# A box is one point for those at least twice its width away
_OPENING = 0.5


@dataclass(frozen=True)
class Tree:
    """Boxes, each before those inside it.

    points: (count, dimensions), so ordered that a box's are points[starts : ends].
    centers: (boxes, dimensions), means of the points. widths: of the longest side.
    following: the first box that is not inside; a leaf's is the next one.
    """

    points: Doubles
    starts: Integers
    ends: Integers
    centers: Doubles
    widths: Doubles
    following: Integers

    @property
    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """What kernels take."""
        return (
            self.points,
            self.starts,
            self.ends,
            self.centers,
            self.widths,
            self.following,
        )


def grown(points: Doubles) -> Tree:
    """The boxes of some points, (count, dimensions)."""
    count, dimensions = points.shape
    most = 2 * count
    order = np.arange(count)
    starts, ends, parents = (np.zeros(most, np.int64) for _ in range(3))
    centers, widths = np.zeros((most, dimensions)), np.zeros(most)
    boxes = _grow(points, order, starts, ends, parents, centers, widths)
    return Tree(
        points[order],
        starts[:boxes],
        ends[:boxes],
        centers[:boxes],
        widths[:boxes],
        _following(parents[:boxes]),
    )


@kernel
def pushed(
    moved: Doubles,
    i: int,
    push: Doubles,
    points: Doubles,
    starts: Integers,
    ends: Integers,
    centers: Doubles,
    widths: Doubles,
    following: Integers,
) -> float:
    """Σ w² · (moved[i] - point) into `push`, and Σ w; w is 1 / (1 + squared distance)."""
    push[:] = 0
    total, box = 0.0, 0
    while box < len(starts):
        square = square_apart(moved, i, centers, box)
        if widths[box] ** 2 < _OPENING**2 * square:
            weight = 1 / (1 + square)
            count = ends[box] - starts[box]
            total += count * weight
            for d in range(moved.shape[1]):
                push[d] += count * weight * weight * (moved[i, d] - centers[box, d])
            box = following[box]
            continue
        if following[box] == box + 1:
            for j in range(starts[box], ends[box]):
                weight = 1 / (1 + square_apart(moved, i, points, j))
                total += weight
                for d in range(moved.shape[1]):
                    push[d] += weight * weight * (moved[i, d] - points[j, d])
        box += 1
    return total


@kernel
def square_apart(some: Doubles, i: int, others: Doubles, j: int) -> float:
    """Squared distance of some[i] to others[j]."""
    total = 0.0
    for d in range(some.shape[1]):
        total += (some[i, d] - others[j, d]) ** 2
    return total


@kernel
def _grow(
    points: Doubles,
    order: Integers,
    starts: Integers,
    ends: Integers,
    parents: Integers,
    centers: Doubles,
    widths: Doubles,
) -> int:
    """Fill in the boxes and order the points; how many boxes there are.

    Each box hugs its points, so that cutting it in the middle leaves none as it was.
    """
    count, dimensions = points.shape
    parts = 2**dimensions
    waiting = np.zeros((count + parts, 3), np.int64)
    waiting[0] = (0, count, -1)
    height, boxes = 1, 0
    low, high, bounds = np.empty(dimensions), np.empty(dimensions), np.empty(parts + 1, np.int64)
    corner, sorted_ = np.empty(count, np.int64), np.empty(count, np.int64)
    while height:
        height -= 1
        box = boxes
        boxes += 1
        start, end, parents[box] = waiting[height]
        starts[box], ends[box] = start, end
        _measure(points, order, start, end, low, high, centers[box])
        widths[box] = (high - low).max()
        if end - start <= _LEAF_POINTS or widths[box] <= 0:
            continue
        _divide(points, order, start, end, (low + high) / 2, corner, sorted_, bounds)
        for part in range(parts - 1, -1, -1):
            if bounds[part + 1] > bounds[part]:
                waiting[height] = (bounds[part], bounds[part + 1], box)
                height += 1
    return boxes


@kernel
def _measure(
    points: Doubles,
    order: Integers,
    start: int,
    end: int,
    low: Doubles,
    high: Doubles,
    center: Doubles,
) -> None:
    """The least and greatest coordinates of the points order[start : end], and their mean."""
    low[:], high[:], center[:] = np.inf, -np.inf, 0.0
    for i in range(start, end):
        for d in range(points.shape[1]):
            value = points[order[i], d]
            center[d] += value / (end - start)
            low[d], high[d] = min(low[d], value), max(high[d], value)


@kernel
def _divide(
    points: Doubles,
    order: Integers,
    start: int,
    end: int,
    middle: Doubles,
    corner: Integers,
    sorted_: Integers,
    bounds: Integers,
) -> None:
    """Sort the points order[start : end] by the corner of the box they are in.

    bounds: where each corner's points begin, and their end. corner, sorted_: room to work in.
    """
    bounds[:] = 0
    for i in range(start, end):
        corner[i] = 0
        for d in range(points.shape[1]):
            corner[i] += (points[order[i], d] > middle[d]) << d
        bounds[corner[i] + 1] += 1
    bounds[0] = start
    for part in range(1, len(bounds)):
        bounds[part] += bounds[part - 1]
    place = bounds.copy()
    for i in range(start, end):
        sorted_[place[corner[i]]] = order[i]
        place[corner[i]] += 1
    order[start:end] = sorted_[start:end]


@kernel
def _following(parents: Integers) -> Integers:
    following = np.ones(len(parents), np.int64)
    for box in range(len(parents) - 1, 0, -1):
        following[parents[box]] += following[box]
    return following + np.arange(len(parents))
