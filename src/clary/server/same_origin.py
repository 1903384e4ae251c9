"""Keeps web pages from elsewhere off a server that verifies no signature."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from clary.aws.answers import Answer
from clary.aws.hosts import bucket_of, service_of, without_port
from clary.server.messages import sent

# Names by which this machine is reached, from itself and from its containers
_NAMES = re.compile(r"(.+\.)?localhost|host\.docker\.internal")


class SameOrigin:
    """Refuses requests of pages with another origin, and those to a name that is not this server's.

    A name that someone else resolves to loopback would make their page one of the same origin.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            host, origin = headers.get(b"host", ""), headers.get(b"origin")
            if not _is_own(host) or (origin is not None and urlsplit(origin).netloc != host):
                await _refuse(send)
                return
        await self._app(scope, receive, send)


def _is_own(host: str) -> bool:
    name = without_port(host)
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return bool(_NAMES.fullmatch(name) or service_of(name) or bucket_of(name))


async def _refuse(send: Send) -> None:
    text = b"Requests of web pages from elsewhere are refused.\n"
    await sent(Answer(403, {"content-type": "text/plain"}, text), send)
