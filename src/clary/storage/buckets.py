"""Buckets of the embedded object store: folders, whose files are the objects."""

from __future__ import annotations

from pathlib import Path

from clary.errors import CallerError
from clary.storage.folder import FolderStore
from clary.storage.location import Stores
from clary.storage.store import StoredObject


class BucketFolder(FolderStore):
    """A bucket's folder, used without its server; it must be there, as in S3."""

    def __init__(self, folder: Path, bucket: str) -> None:
        super().__init__(folder / bucket)
        self._bucket = bucket

    def objects(self, prefix: str = "") -> list[StoredObject]:
        self._check()
        return super().objects(prefix)

    def local(self, key: str) -> Path:
        self._check()
        return super().local(key)

    def uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"

    def _check(self) -> None:
        # A name with a leading dot is none of a bucket: there the server keeps what is its own.
        if self._bucket.startswith(".") or not self.root.is_dir():
            raise CallerError.of(
                f"s3://{self._bucket}",
                f"there is no bucket {self._bucket!r}",
                remedy=f"Make it with S3's CreateBucket, or as the folder {self.root}.",
            )


def stores_in(folder: Path | None) -> Stores:
    """Stores with `s3://bucket/…` in `folder/bucket/…`; without a folder, at an S3 endpoint."""
    if folder is None:
        return Stores()
    return Stores(lambda bucket: BucketFolder(folder, bucket))
