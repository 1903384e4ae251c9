"""What is asked of a proxy: a tunnel to a host, or one plain request to be passed on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_LINE = re.compile(rb"([A-Z]{1,32}) ([\x21-\x7e]+) HTTP/1\.[01]")
_HEADER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00\r\n]*")
_PLACE = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]{1,253})):(\d{1,5})")
_NOT_PASSED_ON = (b"connection:", b"keep-alive:", b"proxy-")


class Malformed(Exception):
    """A request that no proxy understands; its text tells why."""


@dataclass(frozen=True)
class ProxyRequest:
    """plain: the head to pass on for a request without tunnel; None for a tunnel."""

    host: str
    port: int
    plain: bytes | None = None


def proxy_request(head: bytes) -> ProxyRequest:
    """What a head asks for, from its first line to its empty one.

    Raises:
        Malformed: it asks for nothing that a proxy does.
    """
    line, *headers = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    found = _LINE.fullmatch(line)
    if not found or not all(_HEADER.fullmatch(one) for one in headers):
        raise Malformed("This is a proxy, and the request is no HTTP/1.1.")
    if found[1] == b"CONNECT":
        host, port = _place(found[2].decode())
        return ProxyRequest(host, port)
    return _plain(found[1], found[2].decode(), headers)


def _plain(method: bytes, target: str, headers: list[bytes]) -> ProxyRequest:
    """One request; the connection ends with its answer, for the next may go elsewhere."""
    try:
        url = urlsplit(target)
        host, port = _place(f"{url.netloc.rpartition('@')[2]}{'' if url.port else ':80'}")
    except ValueError:
        raise Malformed("The address is malformed.") from None
    if url.scheme != "http":
        raise Malformed("This is a proxy: it is asked for http:// addresses, or with CONNECT.")
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    kept = [one for one in headers if not one.lower().startswith(_NOT_PASSED_ON)]
    lines = [b"%s %s HTTP/1.1" % (method, path.encode()), *kept, b"Connection: close"]
    return ProxyRequest(host, port, b"\r\n".join(lines) + b"\r\n\r\n")


def _place(text: str) -> tuple[str, int]:
    found = _PLACE.fullmatch(text)
    if not found or not 0 < int(found[3]) < 65536:
        raise Malformed("The request must name a host and a port.")
    return (found[1] or found[2]).lower().rstrip("."), int(found[3])
