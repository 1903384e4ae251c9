"""The keys of a bucket in S3's order, read from its folder as they are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from clary.server.s3.keys import bucket_path
from clary.server.s3.store import Found, ObjectStore
from clary.storage.folder import FOLDER_OBJECT, is_hidden


@dataclass
class Page:
    """Objects and, with a delimiter, prefixes that stand for many; `last` is the last of both.

    `more`: whether others follow.
    """

    objects: list[Found] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: str = ""
    more: bool = False


def page(
    store: ObjectStore, bucket: str, prefix: str, delimiter: str, after: str, size: int
) -> Page:
    """The next keys behind `after`, `size` of keys and prefixes at most.

    Raises:
        Refusal: there is no such bucket.
    """
    folder = bucket_path(store.root, bucket)
    found = Page()
    names = _rolled_up(folder, prefix, delimiter, after)
    for name in islice(names, size) if size else ():
        found.last = name.text
        if name.file is None:
            found.prefixes.append(name.text)
        elif (there := store.there(bucket, name.text, Path(name.file))) is not None:
            found.objects.append(there)
    found.more = size > 0 and next(names, None) is not None
    return found


@dataclass(frozen=True)
class _Name:
    """A key with its file, or a common prefix without one."""

    text: str
    file: str | None


def _rolled_up(folder: Path, prefix: str, delimiter: str, after: str) -> Iterator[_Name]:
    """Keys, where those that share what is before the delimiter are one prefix."""
    if delimiter == "/":
        yield from _one_level(folder, prefix, after)
        return
    rolled = ""
    for name in _walk(folder, "", prefix, after.encode()):
        end = name.text.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            yield name
            continue
        common = name.text[: end + len(delimiter)]
        if common != rolled and common.encode() > after.encode():
            yield _Name(common, None)
        rolled = common


def _one_level(folder: Path, prefix: str, after: str) -> Iterator[_Name]:
    """The files of a prefix's folder, and its folders that hold anything, as prefixes."""
    above = prefix[: prefix.rfind("/") + 1]
    if {"", ".", ".."} & set(above.split("/")[:-1]) or "\0" in above:
        return
    for name in _entries(folder / above, above):
        if not name.text.startswith(prefix) or name.text.encode() <= after.encode():
            continue
        if name.file is None and next(_walk(folder, name.text, "", b""), None) is None:
            continue
        yield name


def _walk(folder: Path, above: str, prefix: str, after: bytes) -> Iterator[_Name]:
    """All keys below a folder of the bucket that begin with the prefix and come behind `after`."""
    for name in _entries(folder / above, above):
        text, begin = name.text.encode(), prefix.encode()
        if name.file is not None:
            if text.startswith(begin) and text > after:
                yield name
        elif (text.startswith(begin) or begin.startswith(text)) and (
            # All its keys begin with its name: if that is before `after`, so may they be.
            text > after or after.startswith(text)
        ):
            yield from _walk(folder, name.text, prefix, after)


def _entries(folder: Path, above: str) -> Iterator[_Name]:
    """What a folder holds, in the order of the bytes of keys: a folder sorts with its slash."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    found: list[tuple[bytes, str, str | None]] = []
    for entry in entries:
        if entry.name == FOLDER_OBJECT and above:
            found.append((above.encode(), above, entry.path))
        elif not is_hidden(entry.name):
            is_folder = entry.is_dir()
            if is_folder and entry.is_symlink() and _is_above(Path(entry.path), folder):
                continue
            text = above + entry.name + ("/" if is_folder else "")
            try:
                found.append((text.encode(), text, None if is_folder else entry.path))
            except UnicodeEncodeError:
                continue  # a name that is no text cannot be a key
    for _, text, file in sorted(found):
        yield _Name(text, file)


def _is_above(link: Path, folder: Path) -> bool:
    """Whether a link leads back up, so that following it would go round in circles."""
    return folder.resolve().is_relative_to(link.resolve())
