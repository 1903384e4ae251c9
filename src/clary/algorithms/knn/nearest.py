"""Compiled loops of the exact search: distances, the nearest so far, and what products rule out.

Whichever way rows are found, the distance to a row is this file's, a sum in float64 in a fixed
order, and of equal distances the earlier row is nearer. So all ways give the same answers, however
rows are cut into batches and whatever BLAS rounds.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.kernels import kernel, rough_kernel

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Array: TypeAlias = npt.NDArray[Any]

_BLOCK = 64


@kernel
def squared_distance(one: Floats, other: Floats) -> float:
    """Four sums, so that additions need not wait for each other."""
    a = b = c = d = 0.0
    whole = len(one) - len(one) % 4
    for j in range(0, whole, 4):
        a += (np.float64(one[j]) - np.float64(other[j])) ** 2
        b += (np.float64(one[j + 1]) - np.float64(other[j + 1])) ** 2
        c += (np.float64(one[j + 2]) - np.float64(other[j + 2])) ** 2
        d += (np.float64(one[j + 3]) - np.float64(other[j + 3])) ** 2
    for j in range(whole, len(one)):
        a += (np.float64(one[j]) - np.float64(other[j])) ** 2
    return (a + b) + (c + d)


@kernel
def negative_product(one: Floats, other: Floats) -> float:
    """The inner product as a distance: the greater, the nearer."""
    a = b = c = d = 0.0
    whole = len(one) - len(one) % 4
    for j in range(0, whole, 4):
        a += np.float64(one[j]) * np.float64(other[j])
        b += np.float64(one[j + 1]) * np.float64(other[j + 1])
        c += np.float64(one[j + 2]) * np.float64(other[j + 2])
        d += np.float64(one[j + 3]) * np.float64(other[j + 3])
    for j in range(whole, len(one)):
        a += np.float64(one[j]) * np.float64(other[j])
    return -((a + b) + (c + d))


@kernel
def offer(distances: Doubles, places: Integers, distance: float, place: int) -> None:
    """Put a row into a heap of the nearest, the farthest of them first, if it is nearer than that.

    distances, places: (k,), at the start infinity and -1.
    """
    if distance > distances[0] or (distance == distances[0] and place >= places[0] >= 0):
        return
    hole, count = 0, len(distances)
    while True:
        child = 2 * hole + 1
        if child >= count:
            break
        right = child + 1
        if right < count and (
            distances[right] > distances[child]
            or (distances[right] == distances[child] and places[right] > places[child])
        ):
            child = right
        if distances[child] < distance or (distances[child] == distance and places[child] <= place):
            break
        distances[hole] = distances[child]
        places[hole] = places[child]
        hole = child
    distances[hole] = distance
    places[hole] = place


@kernel
def settle(distances: Doubles, places: Integers) -> None:
    """Turn each row's heap, of (rows, k), into a list, the nearest first."""
    for i in range(len(distances)):
        for end in range(distances.shape[1] - 1, 0, -1):
            distance, place = distances[i, end], places[i, end]
            distances[i, end] = distances[i, 0]
            places[i, end] = places[i, 0]
            distances[i, 0], places[i, 0] = np.inf, np.int64(2**62)
            offer(distances[i, :end], places[i, :end], distance, place)


@rough_kernel
def multiply(queries: Floats, rows: Floats, products: Floats) -> None:
    """Inner products, (queries, rows), with rounding errors: quicker than BLAS for few queries."""
    for i in range(len(queries)):
        for place in range(len(rows)):
            total = np.float32(0)
            for j in range(rows.shape[1]):
                total += queries[i, j] * rows[place, j]
            products[i, place] = total


@kernel
def sift(
    products: Floats,
    floors: Floats,
    lengths: Doubles,
    factor: float,
    queries: Floats,
    rows: Floats,
    first: int,
    distances: Doubles,
    places: Integers,
) -> None:
    """Offer those of a block of rows that may be near.

    products: (queries, block), inner products with rounding errors. Row j of the block is no nearer
    to query i than lengths[i] + floors[j] - factor · products[i, j]; the exact distance is computed
    only where that does not rule the row out.
    rows: (block, width), whose places begin at `first`. distances, places: (queries, k) heaps.
    """
    scale = np.float32(factor)
    for i in range(len(queries)):
        limit = _limit(distances[i, 0] - lengths[i])
        for start in range(0, len(rows), _BLOCK):
            floor = floors[start : start + _BLOCK]
            product = products[i, start : start + _BLOCK]
            # Counted without a branch and in 32 bits: so it is compiled to vector instructions
            near = np.int32(0)
            for j in range(len(floor)):
                near += np.int32(floor[j] - scale * product[j] <= limit)
            if near:
                for j in range(len(floor)):
                    if floor[j] - scale * product[j] <= limit:
                        row = rows[start + j]
                        if factor == 2:
                            distance = squared_distance(queries[i], row)
                        else:
                            distance = negative_product(queries[i], row)
                        offer(distances[i], places[i], distance, first + start + j)
                        limit = _limit(distances[i, 0] - lengths[i])


@kernel
def _limit(room: float) -> np.float32:
    """Rounded up."""
    return np.float32(room + abs(room) * 2.0**-22)
