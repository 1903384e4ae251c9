"""Which file a key names, and which keys can have none."""

from __future__ import annotations

import re
from pathlib import Path

from clary.server.s3.refusals import refusal
from clary.storage.folder import FOLDER_OBJECT, is_hidden

_LONGEST_KEY, _LONGEST_PART = 1024, 255
_USABLE_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_NEW_BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def bucket_path(root: Path, name: str) -> Path:
    """The folder of a bucket, which a user may have made with a name that S3 would not give.

    Raises:
        Refusal: no bucket can have this name, or there is none.
    """
    if not _USABLE_BUCKET.fullmatch(name):
        raise refusal("InvalidBucketName")
    if not (root / name).is_dir():
        raise refusal("NoSuchBucket")
    return root / name


def new_bucket_path(root: Path, name: str) -> Path:
    """The folder that a new bucket will have.

    Raises:
        Refusal: S3 gives no bucket this name.
    """
    if not _NEW_BUCKET.fullmatch(name):
        raise refusal("InvalidBucketName")
    return root / name


def object_path(bucket: Path, key: str) -> Path:
    """The file of a key. That of `folder/` is a hidden file inside the folder.

    Raises:
        Refusal: the key has no place in a folder: it would climb out of it, or two keys would
            name one file.
    """
    parts = key.removesuffix("/").split("/")
    if len(key.encode()) > _LONGEST_KEY:
        raise refusal("KeyTooLongError")
    if any(len(part.encode()) > _LONGEST_PART for part in parts):
        raise refusal("KeyTooLongError", f"A part of a key takes {_LONGEST_PART} bytes here")
    if any(part in {"", ".", ".."} for part in parts) or "\0" in key or "\\" in key:
        text = "A key's parts between slashes must not be empty, '.' or '..'; no NUL, no backslash"
        raise refusal("InvalidURI", text)
    if any(is_hidden(part) for part in parts):
        raise refusal("InvalidURI", "This name is kept for the server's own files")
    folder = bucket.joinpath(*parts)
    return folder / FOLDER_OBJECT if key.endswith("/") else folder
