"""Bodies that are held against what was signed while they pass, of any length."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Protocol

from clary.aws.errors import NotVerified, Wrong
from clary.aws.signed_request import SignedRequest
from clary.aws.sigv4 import UNSIGNED, Seal

CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
CHUNKS_AND_TRAILER = f"{CHUNKS}-TRAILER"
UNSIGNED_AND_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_PAYLOAD, _TRAILER = "AWS4-HMAC-SHA256-PAYLOAD", "AWS4-HMAC-SHA256-TRAILER"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_HEAD = re.compile(rb"([0-9a-f]{1,12});chunk-signature=([0-9a-f]{64})")
_TRAILER_LINE = re.compile(rb"([a-z0-9-]+):([\x21-\x7e]+)")
_LONGEST_LINE = 1024
_MOST_TRAILERS = 16
_NOTHING = hashlib.sha256().hexdigest()


class BodyCheck(Protocol):
    """Sees a body as it passes. Both raise NotVerified."""

    def feed(self, data: bytes) -> None: ...

    def finish(self) -> None: ...


def body_check(request: SignedRequest, seal: Seal | None, digest: str) -> BodyCheck | None:
    """How a body is held against its `x-amz-content-sha256`; None where that signs no body.

    Raises:
        NotVerified: the digest is none of those that there are.
    """
    if digest in {UNSIGNED, UNSIGNED_AND_TRAILER}:
        return None
    if digest in {CHUNKS, CHUNKS_AND_TRAILER} and seal:
        length = request.header("x-amz-decoded-content-length") or ""
        if not re.fullmatch(r"\d{1,15}", length):
            raise NotVerified(Wrong.INCOMPLETE, "x-amz-decoded-content-length must be a length.")
        return SignedChunks(seal, int(length), digest == CHUNKS_AND_TRAILER)
    if _DIGEST.fullmatch(digest):
        return WholeBody(digest)
    raise NotVerified(
        Wrong.INCOMPLETE, "x-amz-content-sha256 must be a SHA-256 or one of S3's words."
    )


class WholeBody:
    """A body of a known SHA-256."""

    def __init__(self, digest: str) -> None:
        self._wanted = digest
        self._sum = hashlib.sha256()

    def feed(self, data: bytes) -> None:
        self._sum.update(data)

    def finish(self) -> None:
        if not hmac.compare_digest(self._sum.hexdigest(), self._wanted):
            raise NotVerified(Wrong.BODY)


class SignedChunks:
    """A body in chunks, `SIZE;chunk-signature=…`, each signed after the one before.

    length: of all data. A trailer is signed after the last chunk, which is empty.
    """

    def __init__(self, seal: Seal, length: int, trailer: bool) -> None:
        self._seal = seal
        self._length = length
        self._trailer = trailer
        self._line = bytearray()
        self._lines = self._head
        self._left = 0
        self._sum = hashlib.sha256()
        self._signed = ""
        self._previous = seal.claim.signature
        self._trailers: list[bytes] = []

    def feed(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            if self._left:
                part = data[position : position + self._left]
                self._sum.update(part)
                self._left -= len(part)
                position += len(part)
            else:
                end = data.find(b"\n", position) + 1 or len(data)
                self._line += data[position:end]
                position = end
                self._look_at_line()

    def finish(self) -> None:
        if self._lines != self._nothing or self._line or self._length:
            raise NotVerified(Wrong.BODY)

    def _look_at_line(self) -> None:
        if len(self._line) > _LONGEST_LINE:
            raise NotVerified(Wrong.BODY)
        if self._line.endswith(b"\n"):
            line = bytes(self._line)
            self._line.clear()
            if not line.endswith(b"\r\n"):
                raise NotVerified(Wrong.BODY)
            self._lines(line[:-2])

    def _head(self, line: bytes) -> None:
        found = _HEAD.fullmatch(line)
        if not found:
            raise NotVerified(Wrong.BODY)
        self._left, self._signed = int(found[1], 16), found[2].decode()
        self._length -= self._left
        if self._length < 0:
            raise NotVerified(Wrong.BODY)
        self._sum = hashlib.sha256()
        self._lines = self._after_data
        if not self._left:
            self._chunk_ends()
            self._lines = self._trailer_line if self._trailer else self._last_line

    def _after_data(self, line: bytes) -> None:
        self._last_line(line)
        self._chunk_ends()
        self._lines = self._head

    def _chunk_ends(self) -> None:
        self._compare(_PAYLOAD, self._signed, _NOTHING, self._sum.hexdigest())

    def _trailer_line(self, line: bytes) -> None:
        found = _TRAILER_LINE.fullmatch(line)
        if not found or len(self._trailers) > _MOST_TRAILERS:
            raise NotVerified(Wrong.BODY)
        if found[1] != b"x-amz-trailer-signature":
            self._trailers.append(line + b"\n")
            return
        digest = hashlib.sha256(b"".join(sorted(self._trailers))).hexdigest()
        self._compare(_TRAILER, found[2].decode(), digest)
        self._lines = self._last_line

    def _last_line(self, line: bytes) -> None:
        if line:
            raise NotVerified(Wrong.BODY)
        self._lines = self._nothing

    def _nothing(self, line: bytes) -> None:
        raise NotVerified(Wrong.BODY)

    def _compare(self, kind: str, signature: str, *digests: str) -> None:
        expected = self._seal.signature(kind, self._previous, *digests)
        if not hmac.compare_digest(expected, signature):
            raise NotVerified(Wrong.SIGNATURE)
        self._previous = expected
