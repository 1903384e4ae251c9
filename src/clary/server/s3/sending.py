"""Answers on their way out, a large file piece by piece."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from starlette.types import Send

from clary.server.s3.xml_answers import Answer, Slice

PIECE_BYTES = 1 << 20
_WITHOUT_BODY = {204, 304}


async def respond(answer: Answer, headers: Mapping[str, str], bare: bool, send: Send) -> None:
    """Send an answer and close its file.

    headers: those of every answer. bare: to a HEAD, whose answer has a length and no body.
    """
    body = answer.body
    size = body.size if isinstance(body, Slice) else len(body)
    told = {**headers, "content-length": str(size), **answer.headers}
    if answer.status in _WITHOUT_BODY:
        del told["content-length"]
        bare = True
    raw = [(name.encode(), value.encode("latin-1")) for name, value in told.items()]
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        if isinstance(body, bytes):
            await send({"type": "http.response.body", "body": b"" if bare else body})
        else:
            await _send_slice(body, send)
    finally:
        if isinstance(body, Slice):
            body.stream.close()


async def _send_slice(body: Slice, send: Send) -> None:
    descriptor, position, end = body.stream.fileno(), body.start, body.start + body.size
    while position < end:
        wanted = min(PIECE_BYTES, end - position)
        data = await asyncio.to_thread(os.pread, descriptor, wanted, position)
        if not data:
            raise RuntimeError("an object's file became shorter while it was sent")
        position += len(data)
        await send({"type": "http.response.body", "body": data, "more_body": position < end})
