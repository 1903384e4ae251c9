"""From a request's headers to a record, and from a record to an answer's headers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from clary.server.s3.checksums import PREFIX
from clary.server.s3.conditions import http_time
from clary.server.s3.records import DEFAULT_TYPE, Record
from clary.server.s3.refusals import refusal
from clary.server.s3.store import Found

METADATA = "x-amz-meta-"
ENCRYPTION = "x-amz-server-side-encryption"
_CUSTOMER_KEY = f"{ENCRYPTION}-customer-algorithm"
_KEPT = {
    *("content-type", "content-disposition", "content-language", "cache-control", "expires"),
    *("content-encoding", "x-amz-website-redirect-location"),
}
_ENCRYPTED = (ENCRYPTION, f"{ENCRYPTION}-aws-kms-key-id", f"{ENCRYPTION}-bucket-key-enabled")
_KEYS = {"AES256", "aws:kms", "aws:kms:dsse"}
_OVERRIDES = (
    *("content-type", "content-language", "expires", "cache-control"),
    *("content-disposition", "content-encoding"),
)
_MOST_TAGS = 10


def record_of(headers: Mapping[str, str], etag: str, checksums: Mapping[str, str]) -> Record:
    """What a request wants kept beside the bytes.

    Raises:
        Refusal: a header has a value that S3 does not know.
    """
    kept = described(headers)
    kept.update(encryption(headers))
    storage = headers.get("x-amz-storage-class", "STANDARD")
    if storage != "STANDARD":
        kept["x-amz-storage-class"] = storage
    return Record(etag, kept, dict(checksums), tags_of(headers.get("x-amz-tagging", "")))


def described(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that say what the bytes are, and the user's own."""
    kept = {
        name: value for name, value in headers.items() if name in _KEPT or name.startswith(METADATA)
    }
    encodings = [each.strip() for each in kept.pop("content-encoding", "").split(",")]
    encodings = [each for each in encodings if each and each.lower() != "aws-chunked"]
    if encodings:
        kept["content-encoding"] = ",".join(encodings)
    return kept


def encryption(headers: Mapping[str, str]) -> dict[str, str]:
    """The encryption that is asked for: kept and answered, while the file stays plain.

    Raises:
        Refusal: it is none that S3 knows, or the client brings the key.
    """
    if _CUSTOMER_KEY in headers:
        raise refusal("NotImplemented", "Encryption with a client's key is not available here")
    if headers.get(ENCRYPTION, "AES256") not in _KEYS:
        text = "The encryption method specified is not supported"
        raise refusal("InvalidArgument", text)
    return {name: headers[name] for name in _ENCRYPTED if name in headers}


def tags_of(text: str) -> dict[str, str]:
    """The tags of `name=value&…`.

    Raises:
        Refusal: they are too many.
    """
    tags = dict(parse_qsl(text, keep_blank_values=True))
    check_tags(tags)
    return tags


def check_tags(tags: Mapping[str, str]) -> None:
    """
    Raises:
        Refusal: they are too many or too long.
    """
    if len(tags) > _MOST_TAGS or any(len(k) > 128 or len(v) > 256 for k, v in tags.items()):
        raise refusal(
            "InvalidArgument", f"An object takes {_MOST_TAGS} tags of 128 and 256 letters"
        )


def object_headers(found: Found, query: Mapping[str, str]) -> dict[str, str]:
    """What HeadObject answers, with the parameters that override it."""
    record = found.record
    headers = {
        "content-type": DEFAULT_TYPE,
        **record.headers,
        "etag": f'"{record.etag}"',
        "last-modified": http_time(found.state.st_mtime_ns),
        "accept-ranges": "bytes",
    }
    if record.tags:
        headers["x-amz-tagging-count"] = str(len(record.tags))
    overridden = {
        name: query[f"response-{name}"] for name in _OVERRIDES if f"response-{name}" in query
    }
    if not all(value.isascii() and value.isprintable() for value in overridden.values()):
        raise refusal("InvalidArgument", "A header cannot hold this value")
    return {**headers, **overridden}


def written(found: Found) -> dict[str, str]:
    """What an answer to a write tells of the object."""
    kept = {name: text for name, text in found.record.headers.items() if name in _ENCRYPTED}
    return {"etag": f'"{found.record.etag}"', **found.record.checksums, **kept}


def checksum_elements(checksums: Mapping[str, str]) -> list[tuple[str, str]]:
    """Checksums as the XML answers name them: `ChecksumCRC32`."""
    names = {f"{PREFIX}type": "ChecksumType"}
    return [
        (names.get(name, f"Checksum{name.removeprefix(PREFIX).upper()}"), value)
        for name, value in checksums.items()
    ]
