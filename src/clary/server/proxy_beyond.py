"""Connections to hosts elsewhere: straight, or by the proxy that the user's network demands."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import ssl
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

_HEAD_BYTES = 16 * 1024
_EYEBALLS_SECONDS = 0.25


@dataclass(frozen=True)
class Beyond:
    """proxy: its URL, if there is one. without: hosts that are reached straight, as in NO_PROXY."""

    proxy: str | None = None
    without: str = ""

    async def connect(self, host: str, port: int) -> tuple[StreamReader, StreamWriter]:
        """
        Raises:
            OSError: the host cannot be reached.
        """
        if self.proxy is None or self._is_straight(host):
            return await asyncio.open_connection(host, port, happy_eyeballs_delay=_EYEBALLS_SECONDS)
        return await _by_proxy(urlsplit(self.proxy), host, port)

    def _is_straight(self, host: str) -> bool:
        names = [one.strip().lower().lstrip("*").lstrip(".") for one in self.without.split(",")]
        if "*" in self.without.split(",") or host == "localhost":
            return True
        try:
            if ipaddress.ip_address(host).is_loopback:
                return True
        except ValueError:
            pass
        return any(name and (host == name or host.endswith(f".{name}")) for name in names)


async def _by_proxy(proxy: SplitResult, host: str, port: int) -> tuple[StreamReader, StreamWriter]:
    secure = proxy.scheme == "https"
    reader, writer = await asyncio.open_connection(
        proxy.hostname,
        proxy.port or (443 if secure else 80),
        ssl=ssl.create_default_context() if secure else None,
        limit=_HEAD_BYTES,
    )
    try:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        writer.write(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{_login(proxy)}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if status != [b"200"]:
            told = head.partition(b"\r\n")[0].decode("latin-1")
            raise OSError(f"the proxy {proxy.hostname} answers: {told}")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        writer.close()
        raise OSError(f"the proxy {proxy.hostname} gives no answer") from None
    except BaseException:
        writer.close()
        raise
    return reader, writer


def _login(proxy: SplitResult) -> str:
    if proxy.username is None:
        return ""
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
