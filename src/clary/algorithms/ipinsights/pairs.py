"""Pairs of an entity and an address as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.ipinsights import hashing
from clary.codecs.addresses import IPV6, Addresses, parsed
from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.spec.columns import Column

Integers: TypeAlias = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Pairs:
    """entity: (rows,) int32, rows of the table; addresses: as many."""

    entity: npt.NDArray[np.int32]
    addresses: Addresses

    def __len__(self) -> int:
        return len(self.entity)

    @property
    def has_six(self) -> bool:
        """Whether there is an IPv6 address among them."""
        return bool((self.addresses.family == IPV6).any())

    def chosen(self, which: slice | Integers) -> Pairs:
        """Some of the pairs; views where they are a slice."""
        at = self.addresses
        return Pairs(self.entity[which], Addresses(at.family[which], at.high[which], at.low[which]))


def pairs_of(batch: Batch, size: int, columns: tuple[Column, ...]) -> Pairs:
    """The pairs of rows; `size` is that of the table of entities.

    Raises:
        CallerError: the rows are not pairs of text.
    """
    if not batch.has_columns or batch.width != len(columns):
        names = ", ".join(column.name for column in columns)
        got = f"{batch.width} {'columns' if batch.has_columns else 'numbers'}"
        raise CallerError.of("features", f"must be {len(columns)} strings ({names})", got)
    entity, ip = batch.columns()
    return Pairs(hashing.places(entity, size), parsed(ip))


NONE = Pairs(
    np.zeros(0, np.int32),
    Addresses(np.zeros(0, np.uint8), np.zeros(0, np.uint64), np.zeros(0, np.uint64)),
)
