"""Where a container's model is in the store, and how it comes from there."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clary.errors import CallerError
from clary.storage.folder import inside, temporary_sibling
from clary.storage.location import Stores


def model_data(container: Mapping[str, Any]) -> tuple[str, bool]:
    """Where a container's model is, and whether it is a prefix of files instead of an archive."""
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source is None:
        return container.get("ModelDataUrl", ""), False
    is_prefix = source["CompressionType"] == "None" and source["S3DataType"] == "S3Prefix"
    return source["S3Uri"], is_prefix


def fetched_data(container: Mapping[str, Any], folder: Path, stores: Stores) -> Path:
    """The container's own copy of its model, `folder` or the archive beside it.

    What was fetched before is not fetched again.

    Raises:
        CallerError: there is no such object, or it cannot be read.
    """
    uri, is_prefix = model_data(container)
    if is_prefix:
        return _fetched_files(uri, folder, stores)
    archive = folder.with_name(f"{folder.name}.tar.gz")
    if not archive.exists():
        location = stores.locate(uri)
        archive.parent.mkdir(parents=True, exist_ok=True)
        location.store.fetch(location.key, archive)
    return archive


def _fetched_files(uri: str, folder: Path, stores: Stores) -> Path:
    if folder.exists():
        return folder
    location = stores.locate(uri)
    objects = location.store.objects(location.key)
    if not objects:
        raise CallerError.of(uri, "there are no objects")
    base = location.key.rpartition("/")[0]
    partial_folder = temporary_sibling(folder)
    try:
        for each in objects:
            path = inside(partial_folder, each.key.removeprefix(base).lstrip("/"))
            path.parent.mkdir(parents=True, exist_ok=True)
            location.store.fetch(each.key, path)
        partial_folder.replace(folder)
    except BaseException:
        shutil.rmtree(partial_folder, ignore_errors=True)
        raise
    return folder
