"""Bodies as they come: plain, or in the chunks of `aws-chunked` with checksums behind them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from clary.server.s3.refusals import refusal

_LONGEST_LINE = 16 * 1024
_SIZE = re.compile(rb"[0-9a-fA-F]{1,12}")


async def pieces(receive: Receive) -> AsyncIterator[bytes]:
    """The body of a request in the sizes in which it arrives.

    Raises:
        ClientDisconnect: the client is gone before its end.
    """
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if message.get("body"):
            yield message["body"]
        more = message.get("more_body", False)


def is_chunked(headers: Mapping[str, str]) -> bool:
    """Whether the body is `aws-chunked`."""
    named = "aws-chunked" in headers.get("content-encoding", "").lower()
    return named or headers.get("x-amz-content-sha256", "").startswith("STREAMING-")


class Unchunked:
    """Takes `aws-chunked` apart: `<size in hex>[;chunk-signature=…]`, the bytes, …, 0, trailers."""

    def __init__(self) -> None:
        self.trailers: dict[str, str] = {}
        self._rest = bytearray()
        self._left = 0
        self._between = False
        self._in_trailers = False

    def feed(self, data: bytes) -> bytes:
        """The object's bytes in a piece of the body.

        Raises:
            Refusal: it is not of that form.
        """
        self._rest += data
        found = bytearray()
        while self._step(found):
            pass
        if self._left == 0 and len(self._rest) > _LONGEST_LINE:
            raise refusal("IncompleteBody", "The chunks of the body are not well-formed")
        return bytes(found)

    def end(self) -> None:
        """To be called behind the last piece.

        Raises:
            Refusal: the body ended early.
        """
        if not self._in_trailers:
            raise refusal("IncompleteBody")

    def _step(self, found: bytearray) -> bool:
        """Whether something could be taken off the front."""
        if self._left:
            taken = self._rest[: self._left]
            found += taken
            del self._rest[: len(taken)]
            self._left -= len(taken)
            self._between = self._left == 0
            return bool(taken)
        line, end, _ = self._rest.partition(b"\r\n")
        if not end:
            return False
        del self._rest[: len(line) + 2]
        if self._in_trailers:
            name, _, value = line.decode("latin-1").partition(":")
            self.trailers[name.strip().lower()] = value.strip()
        elif self._between and not line:
            self._between = False
        else:
            self._left = _size(bytes(line))
            self._in_trailers = self._left == 0
        return True


def _size(line: bytes) -> int:
    size = line.partition(b";")[0].strip()
    if not _SIZE.fullmatch(size):
        raise refusal("IncompleteBody", "The size of a chunk must be in hex")
    return int(size, 16)
