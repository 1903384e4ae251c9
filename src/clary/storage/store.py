"""What a store of bytes must do; the rest of Clary does not care where they live."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True)
class StoredObject:
    """One object of a store: its key and its size in bytes."""

    key: str
    size: int


class Store(Protocol):
    """Objects by key. Keys are texts with `/` between their parts; their order is that of bytes."""

    def objects(self, prefix: str) -> list[StoredObject]:
        """All objects whose key starts with the prefix (a plain string prefix), in key order.

        Raises:
            CallerError: the store cannot be reached or read.
        """

    def open(self, key: str) -> BinaryIO:
        """An object's bytes as a stream.

        Raises:
            CallerError: there is no such object, or it cannot be read.
        """

    def local(self, key: str) -> Path | None:
        """The object as a file of this machine, if it is one already."""

    def fetch(self, key: str, path: Path) -> None:
        """Copy an object to a file, whole or not at all.

        Raises:
            CallerError: there is no such object, it cannot be read, or the disk is full.
        """

    def put(self, path: Path, key: str) -> None:
        """Make a file an object, whole or not at all; the file may be gone afterwards.

        Raises:
            CallerError: the store cannot be written, or is full.
        """

    def remove(self, key: str) -> None:
        """Remove an object, if it is there.

        Raises:
            CallerError: the store cannot be written.
        """

    def uri(self, key: str) -> str:
        """What the object is called in messages."""
