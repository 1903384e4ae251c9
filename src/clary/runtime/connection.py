"""One HTTP connection whose requests cannot be endless or endlessly slow before they begin."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 30.0


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's connection with limits on a request's head: its first line and headers.

    uvicorn's own timer covers only a connection that rests between two requests, and httptools
    takes headers of any length.
    """

    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_begins()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_ends()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        within = self._timer
        super().data_received(data)
        if within is not None and within is self._timer:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response(f"The request's head is over {HEAD_BYTES:,} bytes.")

    def on_message_begin(self) -> None:
        self._head_ends()
        self._head_begins()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_ends()
        super().on_headers_complete()

    def _head_begins(self) -> None:
        self._head_bytes = 0
        self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _head_ends(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
