"""Bodies of requests read whole, and answers sent whole."""

from __future__ import annotations

from uuid import uuid4

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Send

from clary.aws.answers import Answer


class TooLong(Exception):
    """A body is longer than it may be."""


async def whole_body(receive: Receive, most_bytes: int) -> bytes:
    """
    Raises:
        TooLong: it is longer; what comes of it is not read.
        ClientDisconnect: the client is gone.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most_bytes:
            raise TooLong
        if not message.get("more_body"):
            return b"".join(parts)


async def sent(answer: Answer, send: Send) -> None:
    """Send an answer, whose length and number it has from here."""
    headers = {
        "content-length": str(len(answer.body)),
        "x-amzn-RequestId": str(uuid4()),
        **answer.headers,
    }
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body})
