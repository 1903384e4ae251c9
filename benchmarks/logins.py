"""Logins in the spirit of a real log, by a seeded rule: no real log of who came from where is free.

Addresses belong to providers, who have blocks of very different sizes. A person logs in from a home
(a part of a provider's block that changes its last bits), an office that some twenty people share,
and a phone (anywhere in a block of a carrier); few people make most of the logins; now and then
somebody travels and comes from anywhere a provider has addresses.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_PROVIDERS, _CARRIERS, _COLLEAGUES = 400, 12, 20
_HOME, _OFFICE, _PHONE, _TRAVEL = 0.5, 0.3, 0.18, 0.02

Numbers = npt.NDArray[np.int64]


def logins(pairs: int, people: int, seed: int = 0) -> tuple[Numbers, Numbers]:
    """(pairs,) people and their addresses, in random order; habits do not depend on the seed."""
    habits, draw = np.random.default_rng(0), np.random.default_rng((1, seed))
    length = habits.integers(10, 19, _PROVIDERS)
    base = _cut(habits.integers(1 << 24, 224 << 24, _PROVIDERS), length)
    provider = habits.integers(0, _PROVIDERS, people)
    home = _cut(_within(base[provider], length[provider], habits), 20)
    offices = max(1, people // _COLLEAGUES)
    employer = habits.integers(0, _PROVIDERS, offices)
    office = _cut(_within(base[employer], length[employer], habits), 24)
    works_at = habits.integers(0, offices, people)
    carrier = habits.integers(0, _CARRIERS, people)
    who = np.minimum(draw.pareto(1.1, pairs) * people / 50, people - 1).astype(np.int64)
    who = habits.permutation(people)[who]
    anywhere = draw.integers(0, _PROVIDERS, pairs)
    places = np.stack([home[who], office[works_at[who]], base[carrier[who]], base[anywhere]])
    lengths = np.stack(
        [np.full(pairs, 20), np.full(pairs, 24), length[carrier[who]], length[anywhere]]
    )
    which = draw.choice(4, pairs, p=(_HOME, _OFFICE, _PHONE, _TRAVEL)), np.arange(pairs)
    return who, _within(places[which], lengths[which], draw)


def texts(who: Numbers, address: Numbers) -> pa.RecordBatch:
    """The columns entity and ip."""
    parts = [pa.array((address >> shift) & 255).cast(pa.string()) for shift in (24, 16, 8, 0)]
    names = pc.binary_join_element_wise("person-", pa.array(who).cast(pa.string()), "")
    ip = pc.binary_join_element_wise(*parts, ".")
    return pa.RecordBatch.from_arrays([names, ip], names=["entity", "ip"])


def _cut(address: Numbers, length: Numbers | int) -> Numbers:
    """The beginning of the block of so many bits in which an address is."""
    bits = 32 - np.asarray(length)
    return (address >> bits) << bits


def _within(base: Numbers, length: Numbers, draw: np.random.Generator) -> Numbers:
    """An address of each block."""
    return base + draw.integers(0, 1 << (32 - length))
