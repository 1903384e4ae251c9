"""The proxy that leads clients with fixed AWS addresses here, and leaves all else as it is.

A tunnel to a redirected host ends here, in TLS with a certificate of the root's own authority, and
its bytes go to the server's port as they are: Host header and signature stay those of the client.
All other tunnels are passed through untouched. It listens on loopback only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from clary.server.proxy_beyond import Beyond
from clary.server.proxy_requests import Malformed, ProxyRequest, proxy_request

HEAD_BYTES = 64 * 1024
MOST_CONNECTIONS = 1000
_HEAD_SECONDS = 30.0
_CONNECT_SECONDS = 20.0
_IDLE_SECONDS = 900.0
_PIECE_BYTES = 64 * 1024
_TLS_PORT, _PLAIN_PORT = 443, 80

_log = logging.getLogger("clary.server")


class ConnectProxy:
    """redirected: whether a host is to end here. context: TLS for it. server: where it leads."""

    def __init__(
        self,
        redirected: Callable[[str], bool],
        context: Callable[[str], ssl.SSLContext],
        server: tuple[str, int],
        beyond: Beyond,
    ) -> None:
        self._redirected = redirected
        self._context = context
        self._server = server
        self._beyond = beyond
        self._open = 0

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[int]:
        """Inside, the proxy runs, on this port of loopback or on a free one; gives the port.

        It has a thread and an event loop of its own, so that tunnels do not hold up the server.
        """
        loop = asyncio.new_event_loop()
        listening = loop.run_until_complete(self._listening(port))
        thread = threading.Thread(target=loop.run_forever, name="proxy", daemon=True)
        thread.start()
        try:
            yield listening.sockets[0].getsockname()[1]
        finally:
            asyncio.run_coroutine_threadsafe(_ended(listening), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _listening(self, port: int) -> asyncio.Server:
        # A port that is taken gives way to a free one, as the server's own does
        for one in (port, 0):
            with contextlib.suppress(OSError, OverflowError):
                return await asyncio.start_server(
                    self._accepted, "127.0.0.1", one, limit=HEAD_BYTES
                )
        raise OSError("no port of loopback can be listened on")

    async def _accepted(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._open += 1
        try:
            if self._open > MOST_CONNECTIONS:
                await _tell(writer, "503 Service Unavailable", "Too many connections.")
            else:
                await self._served(reader, writer)
        except (OSError, TimeoutError, asyncio.CancelledError):
            # An end is gone, or was silent for too long, or the proxy ends
            pass
        except Exception:
            _log.exception("a connection to the proxy failed")
        finally:
            self._open -= 1
            _drop(writer)

    async def _served(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            asked = proxy_request(head)
        except asyncio.IncompleteReadError:
            return
        except asyncio.LimitOverrunError:
            await _tell(writer, "431 Request Header Fields Too Large", "The head is too long.")
        except Malformed as error:
            await _tell(writer, "400 Bad Request", str(error))
        else:
            await self._passed_on(asked, reader, writer)

    async def _passed_on(
        self, asked: ProxyRequest, reader: StreamReader, writer: StreamWriter
    ) -> None:
        here = self._ends_here(asked)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                if here:
                    to, out = await asyncio.open_connection(*self._server)
                else:
                    to, out = await self._beyond.connect(asked.host, asked.port)
        except TimeoutError:
            await _tell(writer, "504 Gateway Timeout", f"{asked.host} does not answer.")
            return
        except (OSError, UnicodeError) as error:
            await _tell(writer, "502 Bad Gateway", f"{asked.host} cannot be reached: {error}")
            return
        try:
            if asked.plain is not None:
                out.write(asked.plain)
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await writer.drain()
                if here:
                    await writer.start_tls(
                        self._context(asked.host), ssl_handshake_timeout=_HEAD_SECONDS
                    )
            await _joined((reader, writer), (to, out))
        finally:
            _drop(out)

    def _ends_here(self, asked: ProxyRequest) -> bool:
        port = _TLS_PORT if asked.plain is None else _PLAIN_PORT
        return asked.port == port and self._redirected(asked.host)


async def _joined(
    one: tuple[StreamReader, StreamWriter], other: tuple[StreamReader, StreamWriter]
) -> None:
    """Pass bytes in both directions until both have ended, or nothing has moved for long."""
    async with asyncio.timeout(_IDLE_SECONDS) as idle:
        pumps = [
            asyncio.create_task(_pumped(one[0], other[1], idle)),
            asyncio.create_task(_pumped(other[0], one[1], idle)),
        ]
        try:
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()


async def _pumped(reader: StreamReader, writer: StreamWriter, idle: asyncio.Timeout) -> None:
    now = asyncio.get_running_loop().time
    while data := await reader.read(_PIECE_BYTES):
        writer.write(data)
        await writer.drain()
        idle.reschedule(now() + _IDLE_SECONDS)
    if writer.can_write_eof():
        writer.write_eof()
    else:
        # TLS has no half of a connection that ends
        writer.close()


async def _tell(writer: StreamWriter, status: str, text: str) -> None:
    body = text.encode() + b"\n"
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
    await writer.drain()


def _drop(writer: StreamWriter) -> None:
    with contextlib.suppress(Exception):
        writer.close()


async def _ended(listening: asyncio.Server) -> None:
    listening.close()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
