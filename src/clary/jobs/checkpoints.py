"""A folder of checkpoints kept in step with a place in a store, both ways, as SageMaker does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clary.errors import CallerError
from clary.storage.folder import inside
from clary.storage.location import Location, Stores

_SECONDS = 2.0


@contextmanager
def kept_in_step(uri: str | None, folder: Path, stores: Stores) -> Iterator[Path | None]:
    """The folder where a job keeps its checkpoints.

    Where the store's objects are files, that is their own folder. Else what the store has is copied
    to `folder` first, and inside what changes there goes to the store, deletions included.

    Raises:
        CallerError: the store cannot be read; or, at the end, not be written.
    """
    if uri is None:
        yield None
        return
    location = stores.locate(uri.rstrip("/") + "/checkpoint")
    there = location.store.local(location.key)
    if there:
        yield there.parent
        return
    prefix = location.key.removesuffix("checkpoint")
    with _Step(Location(location.store, prefix), folder).running():
        yield folder


class _Step:
    """Copies what differs, in a thread of its own."""

    def __init__(self, place: Location, folder: Path) -> None:
        self._place, self._folder = place, folder
        self._known: dict[str, tuple[int, int]] = {}
        self._over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        self._fetch()
        thread = threading.Thread(target=self._repeat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            self._send()

    def _fetch(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for each in self._place.store.objects(self._place.key):
            path = inside(self._folder, each.key.removeprefix(self._place.key))
            path.parent.mkdir(parents=True, exist_ok=True)
            self._place.store.fetch(each.key, path)
        self._known = self._present()

    def _repeat(self) -> None:
        while not self._over.wait(_SECONDS):
            # The store may be away for a while; what is missing goes there later
            with suppress(CallerError):
                self._send()

    def _send(self) -> None:
        present = self._present()
        for name, state in present.items():
            if self._known.get(name) != state:
                # It may be replaced by the job, which needs no copy of the old one
                with suppress(FileNotFoundError):
                    self._place.store.put(self._folder / name, self._place.key + name)
                    self._known[name] = state
        for name in self._known.keys() - present.keys():
            self._place.store.remove(self._place.key + name)
            del self._known[name]

    def _present(self) -> dict[str, tuple[int, int]]:
        """Size and time of each whole file."""
        found = {}
        for path in self._folder.rglob("*"):
            with suppress(FileNotFoundError):
                if path.is_file() and not path.name.endswith(".partial"):
                    facts = path.stat()
                    name = path.relative_to(self._folder).as_posix()
                    found[name] = facts.st_size, facts.st_mtime_ns
        return found
