"""Bytes on their way to become an object: a file nobody lists until it is whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from clary.server.s3.bodies import Unchunked, is_chunked
from clary.server.s3.checksums import Checksums
from clary.server.s3.refusals import refusal


class Draft:
    """Takes a body piece by piece. At the end of its block the file is gone if nobody moved it."""

    def __init__(self, folder: Path, headers: Mapping[str, str]) -> None:
        self.path = folder / secrets.token_hex(16)
        self.size = 0
        self.checksums: dict[str, str] = {}
        self._headers = headers
        self._chunks = Unchunked() if is_chunked(headers) else None
        self._digests = Checksums(headers)
        self._file = self.path.open("xb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """
        Raises:
            Refusal: the body is not of the form that its headers promise.
        """
        plain = self._chunks.feed(data) if self._chunks else data
        self._digests.update(plain)
        self.size += len(plain)
        view = memoryview(plain)
        while view:
            view = view[self._file.write(view) :]

    def finish(self) -> None:
        """The body is over: it must be what its headers and trailers say, and reach the disk.

        Raises:
            Refusal: it is too short or too long, or has another checksum.
        """
        if self._chunks:
            self._chunks.end()
        promised = self._headers.get("x-amz-decoded-content-length", str(self.size))
        if promised != str(self.size):
            raise refusal("IncompleteBody")
        self.checksums = self._digests.checked(self._chunks.trailers if self._chunks else {})
        os.fsync(self._file.fileno())

    @property
    def md5(self) -> bytes:
        return self._digests.md5

    @property
    def descriptor(self) -> int:
        return self._file.fileno()
