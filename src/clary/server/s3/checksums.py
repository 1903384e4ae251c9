"""Checksums that a client sends with a body, and what they must be."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from clary.server.s3.refusals import refusal

PREFIX = "x-amz-checksum-"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Digest(Protocol):
    """What hashlib's objects do."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class Crc32:
    """zlib's CRC-32 in the form of hashlib's digests."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


# CRC32C and CRC64NVME are accepted and not checked: Python has no quick form of them.
ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "crc32": Crc32,
    "sha1": hashlib.sha1,
    "sha256": hashlib.sha256,
}


class Checksums:
    """The digests of one body. The MD5 becomes the entity tag."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._payload: Digest | None = None
        if _SHA256.fullmatch(headers.get("x-amz-content-sha256", "")):
            self._payload = hashlib.sha256()
        self._digests = {name: ALGORITHMS[name]() for name in _named(headers)}

    def update(self, data: bytes) -> None:
        for each in (self._md5, self._payload, *self._digests.values()):
            if each is not None:
                each.update(data)

    @property
    def md5(self) -> bytes:
        return self._md5.digest()

    def checked(self, trailers: Mapping[str, str]) -> dict[str, str]:
        """The headers of the checksums that the client knows of, found right.

        Raises:
            Refusal: one is another than that of the body.
        """
        sent = {**self._headers, **trailers}
        if "content-md5" in sent and sent["content-md5"] != _text(self._md5.digest()):
            raise refusal("BadDigest", "The Content-MD5 you specified did not match the body.")
        if self._payload and self._payload.digest().hex() != sent["x-amz-content-sha256"]:
            raise refusal("XAmzContentSHA256Mismatch")
        found = {f"{PREFIX}{name}": _text(each.digest()) for name, each in self._digests.items()}
        for name, value in found.items():
            if sent.get(name, value) != value:
                text = f"The {name.removeprefix(PREFIX).upper()} you specified did not match"
                raise refusal("BadDigest", f"{text} the calculated checksum.")
        return found


def of_parts(parts: list[dict[str, str]]) -> dict[str, str]:
    """The checksum of an object in parts: that of its parts' checksums, with their number."""
    for name, algorithm in ALGORITHMS.items():
        header = PREFIX + name
        if parts and all(header in part for part in parts):
            digest = algorithm()
            for part in parts:
                digest.update(base64.b64decode(part[header]))
            whole = f"{_text(digest.digest())}-{len(parts)}"
            return {header: whole, f"{PREFIX}type": "COMPOSITE"}
    return {}


def _named(headers: Mapping[str, str]) -> list[str]:
    """The algorithms that a header, a promised trailer or a wish names."""
    trailer = headers.get("x-amz-trailer", "").lower()
    wish = headers.get("x-amz-sdk-checksum-algorithm", headers.get(f"{PREFIX}algorithm", ""))
    named = {wish.lower(), trailer.strip().removeprefix(PREFIX)}
    return [name for name in ALGORITHMS if f"{PREFIX}{name}" in headers or name in named]


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
