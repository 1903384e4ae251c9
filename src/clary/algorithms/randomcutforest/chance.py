"""Random numbers and random cuts inside compiled loops.

Each tree has a state of its own, so that what it draws does not depend on other trees or threads.
G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clary.kernels import kernel

Floats = npt.NDArray[np.float32]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_UNIT = 2.0**-53


@kernel
def uniform(states: npt.NDArray[np.uint64], tree: int) -> float:
    """A number from 0 on, below 1; the tree's state moves on."""
    states[tree] += _STEP
    mixed = states[tree]
    mixed = (mixed ^ (mixed >> _30)) * _FIRST
    mixed = (mixed ^ (mixed >> _27)) * _SECOND
    mixed = mixed ^ (mixed >> _31)
    return np.float64(mixed >> _11) * _UNIT


@kernel
def random_cut(low: Floats, high: Floats, row: Floats, place: float) -> tuple[int, float]:
    """The cut at a place along the sides, laid end to end, of the box that also holds the row.

    The value is that of feature's side: at least its low end, below its high end, in float32.
    """
    feature, least, most, left = -1, np.float32(0), np.float32(0), place
    for each in range(len(low)):
        bottom, top = min(low[each], row[each]), max(high[each], row[each])
        side = np.float64(top) - np.float64(bottom)
        if side > 0.0:
            # By rounding the place may lie beyond all sides: then it is at the end of the last
            feature, least, most = each, bottom, top
            if left < side:
                break
            left -= side
    value = np.float32(np.float64(least) + min(left, np.float64(most) - np.float64(least)))
    if value >= most:
        value = np.nextafter(most, least)
    return feature, float(max(value, least))
