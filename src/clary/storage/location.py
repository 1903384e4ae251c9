"""Where a URI points: a path, `file://` or `s3://bucket/key`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from clary.errors import CallerError
from clary.storage.folder import FolderStore
from clary.storage.store import Store


@dataclass(frozen=True)
class Location:
    """A key, or a prefix of keys, in a store."""

    store: Store
    key: str

    def open(self) -> BinaryIO:
        return self.store.open(self.key)

    @property
    def uri(self) -> str:
        return self.store.uri(self.key)


class Stores:
    """Finds the store of a URI; asks for each bucket once.

    `bucket` gives the store of a bucket's name; without it, that is S3.
    """

    def __init__(self, bucket: Callable[[str], Store] | None = None) -> None:
        self._bucket = bucket or _s3_bucket
        self._buckets: dict[str, Store] = {}

    def locate(self, uri: str) -> Location:
        """The place a URI names; whether anything is there is not looked at.

        Raises:
            CallerError: no such kind of URI.
        """
        path = local_path(uri)
        if path is not None:
            return Location(FolderStore(path.parent), path.name)
        name, key = bucket_and_key(uri)
        if name not in self._buckets:
            self._buckets[name] = self._bucket(name)
        return Location(self._buckets[name], key)


def local_path(uri: str) -> Path | None:
    """The absolute path that a path or a `file://` URI names, None for other kinds of URIs."""
    scheme, separator, _ = uri.partition("://")
    if not separator:
        return Path(uri).expanduser().absolute()
    if scheme.lower() == "file":
        return Path(unquote(urlsplit(uri).path)).absolute()
    return None


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The two parts of `s3://bucket/key`; the key may be empty.

    Raises:
        CallerError: the URI is not of that form.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() not in {"s3", "s3a", "s3n"} or not bucket:
        raise CallerError.of("URI", "must be a path, file://… or s3://bucket/key", uri)
    return bucket, key


def _s3_bucket(name: str) -> Store:
    # boto3 is slow to import and most data is local.
    store: Store = import_module("clary.storage.s3").S3Store(name)
    return store
