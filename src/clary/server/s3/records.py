"""What S3 knows of an object beyond its bytes, beside the files and not in them.

A record belongs to one state of a file, by the file's time and size. A file that was put or changed
by hand has none and gets defaults. Writing an object lays the new record first, so that whoever
opens the file finds the record of the bytes he opened.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from clary.storage.folder import temporary_sibling

DEFAULT_TYPE = "binary/octet-stream"


@dataclass(frozen=True)
class Record:
    """headers: as they are answered (Content-Type, x-amz-meta-…, x-amz-server-side-encryption).
    checksums: likewise (x-amz-checksum-crc32). The entity tag has no quotes.
    """

    etag: str
    headers: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class Records:
    """The records of all buckets, one small file for each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._last = 0

    def stamp(self, descriptor: int) -> os.stat_result:
        """Give an open file a time that no other state of an object has; its state then."""
        with self._lock:
            self._last = max(time.time_ns(), self._last + 1)
            now = self._last
        os.utime(descriptor, ns=(now, now))
        return os.fstat(descriptor)

    def read(self, bucket: str, key: str, state: os.stat_result) -> Record | None:
        """None where that state has none."""
        try:
            return Record(**json.loads(self._path(bucket, key, state).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, bucket: str, key: str, state: os.stat_result, record: Record) -> None:
        path = self._path(bucket, key, state)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = temporary_sibling(path)
        partial.write_text(json.dumps(asdict(record)))
        partial.replace(path)

    def remove(self, bucket: str, key: str, state: os.stat_result) -> None:
        self._path(bucket, key, state).unlink(missing_ok=True)

    def remove_all(self, bucket: str) -> None:
        shutil.rmtree(self._folder / bucket, ignore_errors=True)

    def _path(self, bucket: str, key: str, state: os.stat_result) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        place = f"{bucket}/{name[:2]}/{name}-{state.st_mtime_ns}-{state.st_size}"
        return self._folder / place


def of_a_plain_file(state: os.stat_result) -> Record:
    """The entity tag has a dash: it is no MD5, as with objects in parts, and changes with the file.

    To read every file for its MD5 would make the first listing of a large folder take minutes.
    """
    named = f"{state.st_mtime_ns}-{state.st_size}-{state.st_ino}".encode()
    return Record(hashlib.md5(named, usedforsecurity=False).hexdigest() + "-1")
