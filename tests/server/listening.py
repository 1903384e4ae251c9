"""An ASGI application on a port, in a thread, as the server runs it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from clary.runtime.serve import bound, configuration


@contextmanager
def listening(app: ASGIApp) -> Iterator[int]:
    """Inside, the application answers on a port of loopback."""
    server = uvicorn.Server(configuration(app))
    listener = bound("127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        while not server.started:
            threading.Event().wait(0.01)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class Recorder:
    """Answers 200 and keeps what came; a body counts as whole only once its end has come."""

    def __init__(self, answer: bytes = b"{}") -> None:
        self.answer = answer
        self.requests: list[tuple[Scope, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        message: dict[str, Any] = {"more_body": True}
        while message.get("more_body"):
            message = dict(await receive())
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
        self.requests.append((scope, body))
        headers = [(b"content-length", str(len(self.answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.answer})
