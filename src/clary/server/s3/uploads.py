"""Objects that come in parts: each part a file, put together at the end."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from clary.server.s3.checksums import of_parts
from clary.server.s3.drafts import Draft
from clary.server.s3.records import Record
from clary.server.s3.refusals import refusal
from clary.server.s3.store import Found, ObjectStore
from clary.storage.folder import whole_file

MOST_PARTS = 10_000
_KEPT_SECONDS = 7 * 24 * 3600
_ID = re.compile(r"[0-9a-f]{32}")
_FACTS = "upload.json"


@dataclass(frozen=True)
class Upload:
    """An upload that was begun."""

    id: str
    bucket: str
    key: str
    begun_ns: int
    record: Record


@dataclass(frozen=True)
class Part:
    """A part that has come. The entity tag is the MD5 in hex."""

    number: int
    etag: str
    size: int
    modified_ns: int
    checksums: dict[str, str] = field(default_factory=dict)


class Uploads:
    """They survive the server's end, as S3's do; those a week old go at start."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def start(self) -> None:
        for folder in self._store.uploads.iterdir():
            if time.time() - folder.stat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

    def begin(self, bucket: str, key: str, record: Record) -> Upload:
        """
        Raises:
            Refusal: no such bucket, or the key can have no file.
        """
        self._store.check_place(bucket, key)
        upload = Upload(secrets.token_hex(16), bucket, key, time.time_ns(), record)
        folder = self._store.uploads / upload.id
        folder.mkdir()
        with whole_file(folder / _FACTS) as out:
            out.write(json.dumps(asdict(upload)).encode())
        return upload

    def find(self, bucket: str, key: str, name: str) -> Upload:
        """
        Raises:
            Refusal: there is none of this key.
        """
        upload = self._read(name) if _ID.fullmatch(name) else None
        if upload is None or (upload.bucket, upload.key) != (bucket, key):
            raise refusal("NoSuchUpload")
        return upload

    def of_bucket(self, bucket: str) -> list[Upload]:
        """In the order of keys, then of time."""
        found = [self._read(each.name) for each in self._store.uploads.iterdir()]
        kept = [each for each in found if each is not None and each.bucket == bucket]
        return sorted(kept, key=lambda each: (each.key.encode(), each.begun_ns))

    def put(self, upload: Upload, number: int, draft: Draft) -> Part:
        """Keep a finished draft as a part, in place of an earlier one of its number.

        Raises:
            Refusal: the upload is gone.
        """
        part = Part(number, draft.md5.hex(), draft.size, time.time_ns(), draft.checksums)
        path = self._folder(upload) / f"{number:05d}-{part.modified_ns}-{part.etag}"
        try:
            path.with_suffix(".json").write_text(json.dumps(asdict(part)))
            draft.path.replace(path)
        except FileNotFoundError:
            raise refusal("NoSuchUpload") from None
        return part

    def parts(self, upload: Upload) -> list[Part]:
        """Those that have come, by number; of each number the latest."""
        return [part for part, _ in self._latest(upload).values()]

    def complete(
        self,
        upload: Upload,
        named: Sequence[tuple[int, str]],
        headers: Mapping[str, str],
    ) -> Found:
        """Put the named parts together as the object.

        named: numbers and entity tags.

        Raises:
            Refusal: a part is missing or another, or the order is wrong, or a condition that does
                not hold.
        """
        latest = self._latest(upload)
        numbers = [number for number, _ in named]
        if numbers != sorted(set(numbers)):
            raise refusal("InvalidPartOrder")
        for number, etag in named:
            if number not in latest or latest[number][0].etag != etag:
                raise refusal("InvalidPart")
        chosen = [latest[number] for number in numbers]
        with Draft(self._store.incoming, {}) as draft:
            for _, path in chosen:
                _append(path, draft.descriptor)
            os.fsync(draft.descriptor)
            record = _record(upload.record, [part for part, _ in chosen])
            found = self._store.put(upload.bucket, upload.key, draft, record, headers)
        self.abort(upload)
        return found

    def abort(self, upload: Upload) -> None:
        shutil.rmtree(self._folder(upload), ignore_errors=True)

    def _folder(self, upload: Upload) -> Path:
        return self._store.uploads / upload.id

    def _read(self, name: str) -> Upload | None:
        try:
            told = json.loads((self._store.uploads / name / _FACTS).read_bytes())
            return Upload(**{**told, "record": Record(**told["record"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _latest(self, upload: Upload) -> dict[int, tuple[Part, Path]]:
        found: dict[int, tuple[Part, Path]] = {}
        for path in sorted(self._came(upload)):
            part = Part(**json.loads(path.with_suffix(".json").read_bytes()))
            found[part.number] = (part, path)
        return found

    def _came(self, upload: Upload) -> Iterator[Path]:
        try:
            entries = set(self._folder(upload).iterdir())
        except FileNotFoundError:
            raise refusal("NoSuchUpload") from None
        return (
            path for path in entries if path.suffix == "" and path.with_suffix(".json") in entries
        )


def _record(begun: Record, parts: list[Part]) -> Record:
    """The entity tag of an object in parts is the MD5 of their MD5s, with their number."""
    together = b"".join(bytes.fromhex(part.etag) for part in parts)
    etag = f"{hashlib.md5(together, usedforsecurity=False).hexdigest()}-{len(parts)}"
    return replace(begun, etag=etag, checksums=of_parts([part.checksums for part in parts]))


def _append(path: Path, target: int) -> None:
    """Copied by the system, and on file systems that can share blocks not even that."""
    with path.open("rb") as source, open(target, "ab", closefd=False) as out:
        left = os.fstat(source.fileno()).st_size
        try:
            while left and hasattr(os, "copy_file_range"):
                left -= os.copy_file_range(source.fileno(), target, left)
        except OSError:
            source.seek(-left, os.SEEK_END)
            shutil.copyfileobj(source, out)
