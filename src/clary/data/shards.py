"""Which objects a host reads, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeVar

from clary.data.sources import Item, Source

T = TypeVar("T")


def host_items(
    source: Source, items: Sequence[Item], rank: int, hosts: int, epoch: int
) -> list[Item]:
    """What one host reads in an epoch, in order: shuffled first, so that shards change too."""
    ordered = shuffled(items, source.shuffle_seed, epoch, lambda item: item.name)
    return share(ordered, rank, hosts) if source.distribution == "ShardedByS3Key" else ordered


def share(objects: Sequence[T], rank: int, hosts: int) -> list[T]:
    """This host's part of the objects: every n-th, so that each object is some host's.

    Counts differ by one at most; with fewer objects than hosts some hosts get none.
    """
    return list(objects[rank::hosts])


def shuffled(
    objects: Sequence[T], seed: int | None, epoch: int, name: Callable[[T], str]
) -> list[T]:
    """The objects in the order that seed and epoch decide; as they are without a seed.

    Each object's place follows from its own name, so a part of the objects is in the same order
    as within the whole, on every machine.
    """
    if seed is None:
        return list(objects)

    def place(each: T) -> bytes:
        text = f"{seed}/{epoch}/{name(each)}"
        return blake2b(text.encode(errors="surrogateescape")).digest()

    return sorted(objects, key=place)
