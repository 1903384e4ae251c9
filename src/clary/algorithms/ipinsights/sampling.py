"""Pairs that are not real: each address in turn told from random ones and from other pairs'.

Random addresses come from a counter, not from a stream, so that any part of a mini-batch can be
drawn
alone: splitmix64, Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA
2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clary.algorithms.ipinsights.pairs import Integers, Pairs
from clary.codecs.addresses import Addresses
from clary.kernels import kernel

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class Negatives:
    """How the pairs of one mini-batch get their generated addresses.

    key: decides the random ones, `random` for each pair. offsets: (shuffled,), how many pairs
    further on each of the addresses of other pairs stands; the mini-batch is in random order.
    """

    key: int
    random: int
    offsets: npt.NDArray[np.int64]

    @classmethod
    def drawn(cls, pairs: int, random: int, shuffled: int, rng: np.random.Generator) -> Negatives:
        """For a mini-batch of so many pairs; none is told from itself if there are others."""
        key = int(rng.integers(2**63))
        return cls(key, random, rng.integers(1, max(2, pairs), shuffled))

    @property
    def tries(self) -> int:
        """Addresses of a pair: its own and the generated ones."""
        return 1 + self.random + len(self.offsets)

    def addresses(self, pairs: Pairs, which: Integers) -> Addresses:
        """(which · tries,): for each pair its own address, random ones, and other pairs'.

        Random addresses are of the family of the pair's own: each octet of IPv4 is uniform; IPv6 is
        uniform over 2000::/3, where all addresses are that anyone has.
        """
        at, rows = pairs.addresses, len(which) * self.tries
        found = Addresses(
            np.empty(rows, np.uint8), np.empty(rows, np.uint64), np.empty(rows, np.uint64)
        )
        key = np.uint64(self.key)
        _fill(which, at.family, at.high, at.low, key, self.random, self.offsets, found.family,
              found.high, found.low)  # fmt: skip
        return found


@kernel
def _fill(
    which: Any, family: Any, high: Any, low: Any, key: Any, random: int, offsets: Any,
    out_family: Any, out_high: Any, out_low: Any,
) -> None:  # fmt: skip
    place = 0
    for pair in which:
        out_family[place], out_high[place], out_low[place] = family[pair], high[pair], low[pair]
        place += 1
        for number in range(random):
            counter = np.uint64(pair * random + number)
            first = _mixed(key + (counter + counter + np.uint64(1)) * _STEP)
            out_family[place], out_high[place] = family[pair], np.uint64(0)
            if family[pair] == 4:
                out_low[place] = first >> np.uint64(32)
            else:
                out_high[place] = (first >> np.uint64(3)) | (np.uint64(1) << np.uint64(61))
                out_low[place] = _mixed(key + (counter + counter + np.uint64(2)) * _STEP)
            place += 1
        for offset in offsets:
            other = (pair + offset) % len(family)
            out_family[place], out_high[place] = family[other], high[other]
            out_low[place] = low[other]
            place += 1


@kernel
def _mixed(value: Any) -> Any:
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))
