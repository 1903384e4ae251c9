"""Buckets of the embedded object store: folders, whose files are the objects."""

from __future__ import annotations

from pathlib import Path

from clary.storage.folder import FolderStore
from clary.storage.location import Stores


def stores_in(folder: Path | None) -> Stores:
    """Stores with `s3://bucket/…` in `folder/bucket/…`; without a folder, at an S3 endpoint."""
    if folder is None:
        return Stores()
    return Stores(lambda bucket: FolderStore(folder / bucket))
