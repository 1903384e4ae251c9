"""HTTP/1.1 to model processes, over connections that are kept; as little as a proxy needs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import httptools

_MOST_KEPT = 64
_MIB = 1 << 20


class NoAnswer(Exception):
    """The process did not answer: it is gone, or what it sent is no HTTP."""


class TooLong(NoAnswer):
    """Its answer is longer than answers may be."""


@dataclass(frozen=True)
class Reply:
    """An answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connections:
    """The connections to one process, all of one event loop."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        seconds: float,
        most_bytes: int,
    ) -> Reply:
        """
        Raises:
            TimeoutError: the answer was not there in time.
            NoAnswer: there was none.
        """
        sent = _head(method, path, headers, len(body))
        async with asyncio.timeout(seconds):
            while True:
                connection = self._kept()
                try:
                    reply = await (connection or await self._opened()).ask(sent, body, most_bytes)
                except _Stale:
                    # It was closed while it rested; the request was not begun
                    if connection is None:
                        raise NoAnswer("the connection was closed") from None
                    continue
                return reply

    def close(self) -> None:
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _opened(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: _Connection(self), "127.0.0.1", self._port
            )
        except OSError as error:
            raise NoAnswer(f"no connection: {error.strerror}") from None
        return connection

    def keep(self, connection: _Connection) -> None:
        if len(self._idle) < _MOST_KEPT:
            self._idle.append(connection)
        else:
            connection.abort()


class _Stale(Exception):
    """The connection ended before anything of an answer came."""


class _Connection(asyncio.Protocol):
    """One request at a time. The callbacks `on_…` are httptools'."""

    def __init__(self, pool: Connections) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Reply] | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, head: bytes, body: bytes, most_bytes: int) -> Reply:
        assert self._transport
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._left, self._begun = most_bytes, False
        self._waiting = asyncio.get_running_loop().create_future()
        # A short body goes in the same packet
        self._transport.write(head + body if len(body) < _MIB else head)
        if len(body) >= _MIB:
            self._transport.write(body)
        try:
            return await self._waiting
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        begun = self._waiting is not None and self._begun
        self._fail(NoAnswer("the connection broke") if begun else _Stale())

    def data_received(self, data: bytes) -> None:
        self._begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(NoAnswer(f"the answer is no HTTP: {error}"))
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self._left -= len(part)
        if self._left < 0:
            self._fail(TooLong("the answer is too long"))
        else:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        waiting, self._waiting = self._waiting, None
        status = self._parser.get_status_code()
        if self._parser.should_keep_alive():
            self._pool.keep(self)
        else:
            self.abort()
        if waiting and not waiting.done():
            waiting.set_result(Reply(status, self._headers, b"".join(self._parts)))

    def _fail(self, error: Exception) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(error)


def _head(method: str, path: str, headers: Mapping[str, str], length: int) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
