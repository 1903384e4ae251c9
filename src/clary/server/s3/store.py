"""The buckets' folders and the objects' files: made, found, replaced, removed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from clary.aws.errors import Refusal
from clary.server.s3.conditions import check_write
from clary.server.s3.drafts import Draft
from clary.server.s3.keys import bucket_path, new_bucket_path, object_path
from clary.server.s3.records import Record, Records, of_a_plain_file
from clary.server.s3.refusals import refusal
from clary.storage.folder import PARTIAL, sync_folder, whole_file

_OWN = ".clary"
_NEAR = ".incoming-"
_TAKEN = (
    "A folder and an object cannot have one name: the objects are files below the server's root"
)


@dataclass(frozen=True)
class Found:
    """An object that is there."""

    bucket: str
    key: str
    state: os.stat_result
    record: Record


@dataclass(frozen=True)
class Bucket:
    """A bucket and when it was made; `location` as its maker gave it."""

    name: str
    created_ns: int
    location: str = ""


class ObjectStore:
    """Objects are plain files: `root/<bucket>/<key>`, also those that users put there by hand.

    What has no place in a file is in `root/.clary`: records, uploads, and `incoming`, the bytes
    that are still on their way. An object takes its place by one rename.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / _OWN / "incoming"
        self.uploads = root / _OWN / "uploads"
        self.records = Records(root / _OWN / "records")
        self._made = root / _OWN / "buckets"
        # One thing at a time takes or leaves a place: a check and its rename belong together.
        self._placing = threading.Lock()

    def start(self) -> None:
        """Make the folders, and clear away what a killed server left half received."""
        shutil.rmtree(self.incoming, ignore_errors=True)
        for folder in (self.incoming, self.uploads, self._made):
            folder.mkdir(parents=True, exist_ok=True)
        for each in self.buckets():
            for left in (self.root / each.name).glob(f"{_NEAR}*{PARTIAL}"):
                left.unlink(missing_ok=True)

    # Buckets

    def buckets(self) -> list[Bucket]:
        names = [
            each.name
            for each in os.scandir(self.root)
            if each.is_dir() and not each.name.startswith(".")
        ]
        return [self.bucket(name) for name in sorted(names)]

    def bucket(self, name: str) -> Bucket:
        """
        Raises:
            Refusal: there is none.
        """
        folder = bucket_path(self.root, name)
        try:
            return Bucket(name, **json.loads((self._made / name).read_bytes()))
        except (OSError, ValueError, TypeError):
            state = folder.stat()
            return Bucket(name, min(state.st_mtime_ns, state.st_ctime_ns))

    def make_bucket(self, name: str, location: str) -> None:
        """
        Raises:
            Refusal: the name is no bucket's.
        """
        new_bucket_path(self.root, name).mkdir(exist_ok=True)
        with whole_file(self._made / name) as out:
            out.write(json.dumps({"created_ns": time.time_ns(), "location": location}).encode())

    def remove_bucket(self, name: str) -> None:
        """
        Raises:
            Refusal: there is none, or it has objects.
        """
        folder = bucket_path(self.root, name)
        with self._placing:
            if any(files for _, _, files in os.walk(folder)):
                raise refusal("BucketNotEmpty")
            folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)
        self.records.remove_all(name)
        (self._made / name).unlink(missing_ok=True)

    # Objects

    def find(self, bucket: str, key: str) -> Found:
        """
        Raises:
            Refusal: no such bucket or object.
        """
        found = self.there(bucket, key, object_path(bucket_path(self.root, bucket), key))
        if found is None:
            raise refusal("NoSuchKey")
        return found

    def open(self, bucket: str, key: str) -> tuple[Found, BinaryIO]:
        """An object and its bytes, which stay these when it is replaced.

        Raises:
            Refusal: no such bucket or object.
        """
        path = object_path(bucket_path(self.root, bucket), key)
        while True:
            try:
                # A named pipe that a user put there must not hold a thread.
                stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
            except OSError as error:
                raise _missing(error) from error
            state = os.fstat(stream.fileno())
            record = self._record(bucket, key, path, state)
            if record is not None:
                return Found(bucket, key, state, record), stream
            stream.close()
            if not stat.S_ISREG(state.st_mode):
                raise refusal("NoSuchKey")

    def check_place(self, bucket: str, key: str) -> None:
        """Refuse a write before its bytes come.

        Raises:
            Refusal: no such bucket, or the key can have no file.
        """
        path = object_path(bucket_path(self.root, bucket), key)
        if path.is_dir() or any(each.is_file() for each in _between(self.root / bucket, path)):
            raise refusal("InvalidRequest", _TAKEN)

    def put(
        self, bucket: str, key: str, draft: Draft, record: Record, headers: Mapping[str, str]
    ) -> Found:
        """Give a finished draft its place.

        headers: their conditions must hold.

        Raises:
            Refusal: they do not, no such bucket, or the key can have no file.
        """
        folder = bucket_path(self.root, bucket)
        path = object_path(folder, key)
        state = self.records.stamp(draft.descriptor)
        with self._near(draft.path, folder) as source, self._placing:
            before = self.there(bucket, key, path)
            check_write(headers, before.record.etag if before else None)
            self.check_place(bucket, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            self.records.write(bucket, key, state, record)
            os.utime(source, ns=(state.st_mtime_ns, state.st_mtime_ns))
            source.replace(path)
            if before:
                self.records.remove(bucket, key, before.state)
        sync_folder(path.parent)
        return Found(bucket, key, state, record)

    def change(self, bucket: str, key: str, changed: Callable[[Record], Record]) -> Found:
        """Replace an object's record.

        Raises:
            Refusal: no such bucket or object.
        """
        with self._placing:
            found = self.find(bucket, key)
            record = changed(found.record)
            self.records.write(bucket, key, found.state, record)
        return replace(found, record=record)

    def remove(self, bucket: str, key: str, headers: Mapping[str, str]) -> None:
        """Remove an object if it is there, and the folders that it leaves empty.

        Raises:
            Refusal: no such bucket, or a condition that does not hold.
        """
        folder = bucket_path(self.root, bucket)
        path = object_path(folder, key)
        with self._placing:
            before = self.there(bucket, key, path)
            if "if-match" in headers:
                check_write(headers, before.record.etag if before else None)
            if before is None:
                return
            path.unlink(missing_ok=True)
            self.records.remove(bucket, key, before.state)
            with suppress(OSError):
                for each in _between(folder, path):
                    each.rmdir()

    def there(self, bucket: str, key: str, path: Path) -> Found | None:
        """The object that a file is, if it is one."""
        while True:
            try:
                state = path.stat()
            except OSError as error:
                _missing(error)
                return None
            if not stat.S_ISREG(state.st_mode):
                return None
            record = self._record(bucket, key, path, state)
            if record is not None:
                return Found(bucket, key, state, record)

    def _record(self, bucket: str, key: str, path: Path, state: os.stat_result) -> Record | None:
        """The record of a file's state; None where the file is another one by now, or none.

        Who replaces an object removes the old record: it must then be looked at anew.
        """
        record = self.records.read(bucket, key, state)
        if record is not None or not stat.S_ISREG(state.st_mode):
            return record
        try:
            now = path.stat()
        except OSError:
            return None
        same = (now.st_ino, now.st_mtime_ns) == (state.st_ino, state.st_mtime_ns)
        return of_a_plain_file(state) if same else None

    @contextmanager
    def _near(self, draft: Path, folder: Path) -> Iterator[Path]:
        """The draft in the file system of its bucket, which may be a link to another disk."""
        if folder.stat().st_dev == draft.stat().st_dev:
            yield draft
            return
        near = folder / f"{_NEAR}{draft.name}{PARTIAL}"
        try:
            shutil.copyfile(draft, near)
            with near.open("rb") as copy:
                os.fsync(copy.fileno())
            yield near
        finally:
            near.unlink(missing_ok=True)


def _missing(error: OSError) -> Refusal:
    """What cannot be opened is no object; an error of the disk is told as one.

    Raises:
        OSError: it is such an error.
    """
    if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO}:
        raise error
    return refusal("NoSuchKey")


def _between(folder: Path, path: Path) -> Iterator[Path]:
    """The folders from a file up to its bucket, without both."""
    for each in path.parents:
        if each == folder:
            return
        yield each
