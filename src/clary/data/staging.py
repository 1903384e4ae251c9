"""Lays a channel's data out below /opt/ml/input/data as its input mode says."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from clary.data.epochs import epochs
from clary.data.feeder import Feeder, FilePipes
from clary.data.shards import host_items
from clary.data.sources import Item, Source, resolve
from clary.errors import CallerError
from clary.storage.folder import inside
from clary.storage.location import Location, Stores

_DOWNLOADS = 8


class Staged:
    """A channel's data in place; close it when the training is over."""

    def __init__(self, feeder: Feeder | FilePipes | None) -> None:
        self._feeder = feeder

    @property
    def failure(self) -> Exception | None:
        """What kept a pipe from being filled; its reader was told."""
        return self._feeder.failure if self._feeder else None

    def close(self) -> None:
        """Stop what feeds pipes and remove them; files stay."""
        if self._feeder:
            self._feeder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def stage(
    source: Source, folder: Path, *, rank: int = 0, hosts: int = 1, stores: Stores | None = None
) -> Staged:
    """Lay out one host's data of one channel below `folder`, the tree's input/data.

    File: links to files of this machine, downloads of S3's objects. FastFile: links, and for S3
    pipes that are filled when opened. Pipe: a pipe for each epoch.

    Raises:
        CallerError: the source has nothing, cannot be read, or cannot come in this input mode.
    """
    items = resolve(source, stores or Stores())
    folder.mkdir(parents=True, exist_ok=True)
    if source.input_mode == "Pipe":
        return Staged(Feeder(folder, source.channel, epochs(source, items, rank, hosts)))
    target = folder / source.channel
    target.mkdir(exist_ok=True)
    if any(target.iterdir()):
        raise FileExistsError(f"{target} holds files of something else")
    try:
        mine = host_items(source, items, rank, hosts, epoch=0)
        remote = _linked(_places(source.channel, target, mine))
        if source.input_mode == "FastFile" and remote:
            return Staged(FilePipes(folder, source.channel, remote))
        _download(remote)
    except BaseException:
        shutil.rmtree(target)
        raise
    return Staged(None)


def _places(channel: str, target: Path, items: Iterable[Item]) -> dict[Path, Location]:
    """Where each object goes; no two to one place, none outside."""
    places: dict[Path, Location] = {}
    for item in items:
        location = cast(Location, item.parts[0])
        path = inside(target, item.name)
        if path in places:
            rule = f"{places[path].uri} and another object cannot be one file"
            raise CallerError.of(f"channel {channel}", rule, location.uri)
        places[path] = location
    for path, location in places.items():
        for parent in path.relative_to(target).parents:
            if target / parent in places:
                rule = f"{places[target / parent].uri} cannot be a file and a folder"
                raise CallerError.of(f"channel {channel}", rule, location.uri)
    return places


def _linked(places: dict[Path, Location]) -> dict[Path, Location]:
    """Link the objects that are files of this machine; the others are returned."""
    remote = {}
    for path, location in places.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        file = location.store.local(location.key)
        if file is None:
            remote[path] = location
        else:
            path.symlink_to(file.resolve())
    return remote


def _download(remote: dict[Path, Location]) -> None:
    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        fetched = [
            pool.submit(location.store.fetch, location.key, path)
            for path, location in remote.items()
        ]
        try:
            for each in fetched:
                each.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
