"""S3's answers: XML as its clients read it, a file's bytes, or nothing but headers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeAlias
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from clary.aws.errors import Refusal
from clary.server.s3.refusals import refusal

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# XML may define entities of entities; S3's requests never do.
_DOCTYPE = re.compile(rb"<!DOCTYPE", re.IGNORECASE)

Content: TypeAlias = "str | int | bool | Iterable[tuple[str, Any]]"


@dataclass(frozen=True)
class Slice:
    """`size` bytes of an open file from `start`; whoever sends them closes it."""

    stream: BinaryIO
    start: int
    size: int


@dataclass(frozen=True)
class Answer:
    """What goes back; headers by their names in lower case."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Slice = b""


def xml(name: str, content: Content, headers: Mapping[str, str] | None = None) -> Answer:
    """An element with its content: text, or pairs of name and content."""
    body = f'{_HEAD}<{name} xmlns="{_NAMESPACE}">{_inner(content)}</{name}>'
    return Answer(200, {"content-type": "application/xml", **(headers or {})}, body.encode())


def error(refused: Refusal, resource: str, request_id: str) -> Answer:
    """A refusal, with the sentence that clients show."""
    content = [
        ("Code", refused.code),
        ("Message", refused.message),
        ("Resource", resource),
        ("RequestId", request_id),
        *refused.members.items(),
    ]
    body = f"{_HEAD}<Error>{_inner(content)}</Error>"
    return Answer(refused.status, {"content-type": "application/xml"}, body.encode())


def parsed(body: bytes) -> ElementTree.Element:
    """A request's XML without its namespace.

    Raises:
        Refusal: it is none.
    """
    if _DOCTYPE.search(body):
        raise refusal("MalformedXML")
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError):
        raise refusal("MalformedXML") from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _inner(content: Content) -> str:
    if isinstance(content, bool):
        return str(content).lower()
    if isinstance(content, str | int):
        return _CONTROL.sub(lambda found: f"&#x{ord(found[0]):x};", escape(str(content)))
    # A name may bring attributes.
    return "".join(f"<{name}>{_inner(value)}</{name.partition(' ')[0]}>" for name, value in content)
