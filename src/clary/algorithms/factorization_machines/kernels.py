"""The loops over sparse rows: grouping entries by feature, scores, gradients, Adam.

A row has entries x_c of some features c; its sums are S_f = Σ v_cf x_c, and its score is
w0 + Σ w_c x_c + ½ Σ_f (S_f² - Σ (v_cf x_c)²), which takes no look at pairs.
Every number is summed by one thread in an order that the rows settle.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.factorization_machines.prefetch import prefetch
from clary.kernels import kernel

Floats: TypeAlias = npt.NDArray[np.float32]
Integers: TypeAlias = npt.NDArray[np.int32]
Array: TypeAlias = npt.NDArray[Any]

# MXNet's and torch's
BETA_1, BETA_2 = 0.9, 0.999
# How far ahead memory is asked for: two rows of eight entries, or as many features as steps overlap
_ROWS_AHEAD, _FEATURES_AHEAD = 2, 4
_HALF, _ZERO = np.float32(0.5), np.float32(0)
_KEPT_1, _NEW_1 = np.float32(BETA_1), np.float32(1 - BETA_1)
_KEPT_2, _NEW_2 = np.float32(BETA_2), np.float32(1 - BETA_2)


@kernel
def group_by_feature(
    columns: Integers,
    values: Floats,
    bounds: Array,
    chosen: Array,
    slot_of: Integers,
    features: Integers,
    ends: Integers,
    rows: Integers,
    entries: Floats,
) -> int:
    """The entries of chosen rows, feature by feature; answers how many features there are.

    columns, values, bounds: rows as CSR. slot_of: (width,), scratch with any numbers of at least 0.
    Filled: features, in order of first appearance; ends: one more than features, where a feature's
    entries begin; rows, places among the chosen, and entries, their values.
    """
    slots = np.empty(len(rows), np.int32)
    count = number = 0
    for row in chosen:
        for at in range(bounds[row], bounds[row + 1]):
            slot = slot_of[columns[at]]
            if slot >= count or features[slot] != columns[at]:
                slot = count
                slot_of[columns[at]] = slot
                features[slot] = columns[at]
                ends[slot + 1] = 0
                count += 1
            ends[slot + 1] += 1
            slots[number] = slot
            number += 1
    total = 0
    for slot in range(count):
        total += ends[slot + 1]
        ends[slot + 1] = total - ends[slot + 1]
    ends[0] = number = 0
    # Each end is the feature's beginning now, and moves on with every entry
    for place in range(len(chosen)):
        row = chosen[place]
        for at in range(bounds[row], bounds[row + 1]):
            end = slots[number] + 1
            rows[ends[end]] = place
            entries[ends[end]] = values[at]
            ends[end] += 1
            number += 1
    return count


@kernel
def scores(
    columns: Integers,
    values: Floats,
    bounds: Array,
    chosen: Array,
    bias: np.float32,
    linear: Floats,
    factors: Floats,
    sums: Floats,
    found: Floats,
    first: int,
    last: int,
) -> None:
    """Scores and sums of the chosen rows from place `first` to `last`.

    linear: (width, …), the weight first; factors: (width, k). Filled: sums, (chosen, k); found,
    (chosen,).
    """
    size = factors.shape[1]
    squares = np.empty(size, np.float32)
    for place in range(first, last):
        row = chosen[place]
        total = sums[place]
        for f in range(size):
            total[f] = _ZERO
            squares[f] = _ZERO
        score = bias
        if place + _ROWS_AHEAD < last:
            soon = chosen[place + _ROWS_AHEAD]
            for at in range(bounds[soon], bounds[soon + 1]):
                prefetch(linear[columns[at], :1])
                prefetch(factors[columns[at]])
        for at in range(bounds[row], bounds[row + 1]):
            value = values[at]
            score += linear[columns[at], 0] * value
            vector = factors[columns[at]]
            for f in range(size):
                product = vector[f] * value
                total[f] += product
                squares[f] += product * product
        for f in range(size):
            squares[f] = total[f] * total[f] - squares[f]
        found[place] = score + _HALF * _folded(squares)


@kernel
def learn(
    features: Integers,
    ends: Integers,
    rows: Integers,
    entries: Floats,
    errors: Floats,
    sums: Floats,
    linear: Floats,
    factors: Floats,
    means: Floats,
    variances: Floats,
    linear_step: Floats,
    factors_step: Floats,
    first: int,
    last: int,
) -> None:
    """Gradients of the features from slot `first` to `last`, and a step of Adam against them.

    features, ends, rows, entries: as `group_by_feature` fills them. errors: (rows,), derivative of
    the loss by the score; sums: (rows, k). linear: (width, 3), weight and moments; factors, means,
    variances: (width, k). linear_step, factors_step: see `adam`.
    """
    slopes = np.empty(1 + factors.shape[1], np.float32)
    for slot in range(first, last):
        if slot + _FEATURES_AHEAD < last:
            _ask_for(features[slot + _FEATURES_AHEAD], linear, factors, means, variances)
        column = features[slot]
        vector, own = factors[column], linear[column]
        slopes[0] = _gradient(slot, ends, rows, entries, errors, sums, vector, slopes[1:])
        adam(own[0:1], own[1:2], own[2:3], slopes[0:1], linear_step)
        adam(vector, means[column], variances[column], slopes[1:], factors_step)


@kernel
def gradients(
    features: Integers,
    ends: Integers,
    rows: Integers,
    entries: Floats,
    errors: Floats,
    sums: Floats,
    factors: Floats,
    found: Floats,
    first: int,
    last: int,
) -> None:
    """Gradients alone, as `learn` has them; found: (features, 1 + k), the linear weight's first."""
    for slot in range(first, last):
        vector = factors[features[slot]]
        found[slot, 0] = _gradient(slot, ends, rows, entries, errors, sums, vector, found[slot, 1:])


@kernel
def follow(
    features: Integers,
    slopes: Floats,
    linear: Floats,
    factors: Floats,
    means: Floats,
    variances: Floats,
    linear_step: Floats,
    factors_step: Floats,
    first: int,
    last: int,
) -> None:
    """The step of Adam alone, as `learn` takes it, against slopes of shape (features, 1 + k)."""
    for slot in range(first, last):
        if slot + _FEATURES_AHEAD < last:
            _ask_for(features[slot + _FEATURES_AHEAD], linear, factors, means, variances)
        column = features[slot]
        own = linear[column]
        adam(own[0:1], own[1:2], own[2:3], slopes[slot, 0:1], linear_step)
        adam(factors[column], means[column], variances[column], slopes[slot, 1:], factors_step)


@kernel
def _ask_for(
    column: int, linear: Floats, factors: Floats, means: Floats, variances: Floats
) -> None:
    """What a step of a feature reads and writes."""
    prefetch(linear[column])
    prefetch(factors[column])
    prefetch(means[column])
    prefetch(variances[column])


@kernel
def _gradient(
    slot: int,
    ends: Integers,
    rows: Integers,
    entries: Floats,
    errors: Floats,
    sums: Floats,
    vector: Floats,
    found: Floats,
) -> np.float32:
    """Σ e x (S - x v) over a feature's entries in `found`; answers Σ e x."""
    size = len(vector)
    for f in range(size):
        found[f] = _ZERO
    linear, square = _ZERO, _ZERO
    for at in range(ends[slot], ends[slot + 1]):
        slope = errors[rows[at]] * entries[at]
        linear += slope
        square += slope * entries[at]
        total = sums[rows[at]]
        for f in range(size):
            found[f] += slope * total[f]
    for f in range(size):
        found[f] -= square * vector[f]
    return linear


@kernel
def adam(weight: Floats, mean: Floats, variance: Floats, slope: Floats, step: Floats) -> None:
    """step: rate (with the correction of the moments' bias), decay, rescaling, clip, epsilon.

    As MXNet's: decay is added to the gradient before it is clipped.
    """
    rate, decay, rescale, clip, epsilon = step[0], step[1], step[2], step[3], step[4]
    for f in range(len(weight)):
        move = slope[f] * rescale + decay * weight[f]
        move = min(max(move, -clip), clip)
        mean[f] = _KEPT_1 * mean[f] + _NEW_1 * move
        variance[f] = _KEPT_2 * variance[f] + _NEW_2 * move * move
        weight[f] -= rate * mean[f] / (np.sqrt(variance[f]) + epsilon)


@kernel
def _folded(numbers: Floats) -> np.float32:
    """The sum, which is left in the first: halves are added, as many at once as there are."""
    left = len(numbers)
    while left > 1:
        half = (left + 1) // 2
        low, high = numbers[:half], numbers[half:left]
        for f in range(left - half):
            low[f] += high[f]
        left = half
    total: np.float32 = numbers[0]
    return total
