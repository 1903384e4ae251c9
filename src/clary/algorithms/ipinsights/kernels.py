"""The compiled loops: addresses to vectors, scores, gradients, Adam.

A row of a table of octets belongs to one value of one octet: 4 · 256 rows for IPv4, 16 · 256 for
IPv6.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clary.kernels import kernel, rough_kernel

IPV4_ROWS, IPV6_ROWS = 4 * 256, 16 * 256
BETA_1, BETA_2 = 0.9, 0.999

_B1, _REST_1 = np.float32(BETA_1), np.float32(1 - BETA_1)
_B2, _REST_2 = np.float32(BETA_2), np.float32(1 - BETA_2)
_EPSILON = 1e-8


@kernel
def embed(
    family: Any, high: Any, low: Any, four: Any, six: Any, bias: Any, rectified: bool, found: Any
) -> None:
    """found[row] = bias of the family + the rows of its octets; rectified: what is below 0 is 0."""
    for row in range(len(found)):
        out = found[row]
        if family[row] == 4:
            first, second, third, fourth = (
                four[_row(4, high[row], low[row], 0)],
                four[_row(4, high[row], low[row], 1)],
                four[_row(4, high[row], low[row], 2)],
                four[_row(4, high[row], low[row], 3)],
            )
            for at in range(len(out)):
                out[at] = bias[0, at] + first[at] + second[at] + third[at] + fourth[at]
        else:
            out[:] = bias[1]
            for octet in range(16):
                add(out, six[_row(6, high[row], low[row], octet)])
        if rectified:
            for at in range(len(out)):
                out[at] = max(out[at], np.float32(0))


@kernel
def scatter(
    family: Any, high: Any, low: Any, gradient: Any, four: Any, six: Any, bias: Any
) -> None:
    """Add each row of the gradient to that of the bias and of the octets."""
    for row in range(len(gradient)):
        own = gradient[row]
        if family[row] == 4:
            add(bias[0], own)
            for octet in range(4):
                add(four[_row(4, high[row], low[row], octet)], own)
        else:
            add(bias[1], own)
            for octet in range(16):
                add(six[_row(6, high[row], low[row], octet)], own)


@kernel
def add(total: Any, part: Any) -> None:
    for at in range(len(total)):
        total[at] += part[at]


@kernel
def _row(family: int, high: Any, low: Any, octet: int) -> Any:
    """The row of the table that one octet of an address, counted from the front, belongs to."""
    if family == 4:
        return 256 * octet + np.int64((low >> np.uint64(24 - 8 * octet)) & np.uint64(255))
    half = high if octet < 8 else low
    value = (half >> np.uint64(56 - 8 * (octet % 8))) & np.uint64(255)
    return 256 * octet + np.int64(value)


@kernel
def learn(
    table: Any, rows: Any, group: Any, vectors: Any, tries: int, scale: Any, rectified: bool,
    gradient: Any, told: Any,
) -> None:  # fmt: skip
    """Scores of pairs, their loss, and its gradient.

    Args:
        table: (entities, dim). rows, group: (pairs,), the pair's entity, and its row in `gradient`.
        vectors: (pairs · tries, dim) of addresses: the pair's own, then the generated ones; here
        they
            become the gradient of the loss by them.
        scale: what a score counts in the loss. rectified: whether the vectors are.
        gradient: (groups, dim), to which the gradient by the entities' vectors is added.
        told: (2,), to which the loss, unscaled, and the number of scores told right are added.
    """
    loss, right = 0.0, 0
    for pair in range(len(rows)):
        entity, own = table[rows[pair]], gradient[group[pair]]
        for at in range(pair * tries, (pair + 1) * tries):
            vector, real = vectors[at], at == pair * tries
            score = _dot(entity, vector)
            signed = score if real else -score
            # log(1 + exp(-signed)) without overflow
            tail = math.exp(-abs(signed))
            loss += math.log1p(tail) + max(-signed, 0.0)
            right += signed > 0
            wrong = (1.0 if signed < 0 else tail) / (1.0 + tail)
            slope = np.float32((-wrong if real else wrong) * scale)
            for place in range(len(vector)):
                own[place] += slope * vector[place]
            if rectified:
                for place in range(len(vector)):
                    vector[place] = slope * entity[place] * np.float32(vector[place] > 0)
            else:
                for place in range(len(vector)):
                    vector[place] = slope * entity[place]
    told[0] += loss
    told[1] += right


@kernel
def score(table: Any, rows: Any, vectors: Any, found: Any) -> None:
    """found[pair] = the product of the entity's vector and the address's."""
    for pair in range(len(rows)):
        found[pair] = _dot(table[rows[pair]], vectors[pair])


@rough_kernel
def _dot(left: Any, right: Any) -> Any:
    """The sum of products, in the order that suits the machine's vector registers."""
    total = np.float32(0)
    for place in range(len(left)):
        total += left[place] * right[place]
    return total


@kernel
def coast(
    values: Any, first: Any, second: Any, last: Any, rows: Any, step: int, ahead: Any
) -> None:
    """Bring rows without a gradient up to a step: moments fade, and move the row while they do.

    Args:
        values, first, second: (all, dim), parameters and both moments of Adam.
        last: (all,), the step that a row is at. rows: (rows,) of them, each once.
        ahead: by step, how far a row goes that has no gradient any more: see `Pace`.
    """
    ratio = BETA_1 / np.sqrt(BETA_2)
    for row in rows:
        rest = step - last[row]
        # At step 0 there is no momentum yet
        if rest > 0 and last[row] > 0:
            own, mean, square = values[row], first[row], second[row]
            far = np.float32(ahead[last[row]] - ratio**rest * ahead[step])
            fade, fade_2 = np.float32(BETA_1**rest), np.float32(BETA_2**rest)
            tiny = np.float32(_EPSILON * np.sqrt(1 - BETA_2 ** last[row]))
            for at in range(len(own)):
                own[at] -= far * mean[at] / (np.sqrt(square[at]) + tiny)
                mean[at] *= fade
                square[at] *= fade_2
        last[row] = step


@kernel
def adam(
    values: Any, first: Any, second: Any, last: Any, rows: Any, step: int, pace: Any,
    gradient: Any, decay: Any,
) -> None:  # fmt: skip
    """The step of this number for rows that are at the one before.

    Kingma & Ba, "Adam", ICLR 2015.

    Args:
        values, first, second, last, rows: as in `coast`. pace: size by step: see `Pace`.
        gradient: (rows, dim). decay: weight of the parameters' squares in the loss.
    """
    now, tiny = np.float32(pace[step]), np.float32(_EPSILON * np.sqrt(1 - BETA_2**step))
    for place in range(len(rows)):
        row = rows[place]
        own, mean, square, slopes = values[row], first[row], second[row], gradient[place]
        for at in range(len(own)):
            slope = slopes[at] + decay * own[at]
            mean[at] = _B1 * mean[at] + _REST_1 * slope
            square[at] = _B2 * square[at] + _REST_2 * slope * slope
            own[at] -= now * mean[at] / (np.sqrt(square[at]) + tiny)
        last[row] = step
