"""A folder as a store, and files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from clary.errors import CallerError
from clary.storage.store import StoredObject

# An S3 object with a key such as `folder/`, which people make for an empty folder.
FOLDER_OBJECT = ".folder-object"
PARTIAL = ".partial"
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FolderStore:
    """The files below a folder; a file's key is its path relative to the folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def objects(self, prefix: str = "") -> list[StoredObject]:
        """Links are followed (but not round in circles); unfinished files are left out."""
        parent, slash, _ = prefix.rpartition("/")
        start = inside(self.root, parent) if parent else self.root
        if not start.is_dir():
            return []
        found = (each for each in _walk(start, parent + slash, ()) if each.key.startswith(prefix))
        return sorted(found, key=lambda each: os.fsencode(each.key))

    def open(self, key: str) -> BinaryIO:
        with explained(self.local(key)):
            return self.local(key).open("rb")

    def local(self, key: str) -> Path:
        return inside(self.root, key)

    def fetch(self, key: str, path: Path) -> None:
        with self.open(key) as source, whole_file(path) as target:
            shutil.copyfileobj(source, target)

    def put(self, path: Path, key: str) -> None:
        target = self.local(key)
        with explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                _sync(path)
                path.replace(target)
                sync_folder(target.parent)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                with path.open("rb") as source, whole_file(target) as copy:
                    shutil.copyfileobj(source, copy)

    def remove(self, key: str) -> None:
        with explained(self.local(key)):
            self.local(key).unlink(missing_ok=True)

    def uri(self, key: str) -> str:
        return str(self.root / key)


def inside(folder: Path, name: str) -> Path:
    """The path of a relative name below a folder.

    Raises:
        CallerError: the name is absolute, empty, or climbs out with `..`.
    """
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise CallerError.of("name", "must be a relative path that stays in its folder", name)
    return folder.joinpath(*parts)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes become the file when the block ends well, and nothing otherwise.

    They go to a temporary name in the same folder, reach the disk, and take the file's place.
    A device or a named pipe is written directly.

    Raises:
        CallerError: the folder cannot be written, or the disk is full.
    """
    if path.exists() and not path.is_file():
        with explained(path):
            stream = path.open("wb")
        with disk_full_explained(path), stream:
            yield stream
        return
    partial = temporary_sibling(path)
    with explained(path.parent):
        stream = partial.open("xb")
    try:
        with disk_full_explained(path), stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        with explained(path):
            partial.replace(path)
            sync_folder(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """The file system's refusals to open, list or rename in the user's words."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise CallerError.of(str(path), "does not exist") from error
        if isinstance(error, IsADirectoryError):
            raise CallerError.of(str(path), "must be a file and is a folder") from error
        if isinstance(error, PermissionError) or error.errno in {errno.EROFS, errno.ELOOP}:
            raise CallerError.of(str(path), f"cannot be used: {error.strerror}") from error
        if error.errno == errno.ENAMETOOLONG:
            raise CallerError.of(str(path), "the name is too long for this file system") from error
        raise


@contextmanager
def disk_full_explained(path: Path) -> Iterator[None]:
    """Turns the disk's `no space` into the user's words, and lets all else through."""
    try:
        yield
    except OSError as error:
        # numpy's own message for a short write has no errno
        if error.errno not in _DISK_FULL and " requested and " not in str(error):
            raise
        raise CallerError.of(
            str(path),
            "the disk is full, or the file larger than allowed",
            remedy="Free some space or write elsewhere; nothing was left behind.",
        ) from error


def temporary_sibling(path: Path) -> Path:
    """An unused name in the same folder, for what is to become `path`."""
    return path.with_name(f".{secrets.token_hex(8)}{PARTIAL}")


def is_partial(name: str) -> bool:
    """Whether a file's name is one that `temporary_sibling` gives: left by a killed process."""
    return name.startswith(".") and name.endswith(PARTIAL)


def is_hidden(name: str) -> bool:
    """Whether a file's name is none of an object: unfinished, or what stands for a folder."""
    return name == FOLDER_OBJECT or is_partial(name)


def _walk(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[StoredObject]:
    with explained(folder):
        entries = list(os.scandir(folder))
        here = folder.stat()
    lineage = (*above, (here.st_dev, here.st_ino))
    for entry in entries:
        if is_hidden(entry.name):
            continue
        with explained(Path(entry.path)):
            found = entry.stat()
        if stat.S_ISDIR(found.st_mode):
            if (found.st_dev, found.st_ino) not in lineage:
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", lineage)
        elif stat.S_ISREG(found.st_mode) or stat.S_ISFIFO(found.st_mode):
            yield StoredObject(prefix + entry.name, found.st_size)


def sync_folder(folder: Path) -> None:
    """Let the names in a folder reach the disk."""
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
