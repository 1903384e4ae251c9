"""Requests of the Query protocol: a form whose names are paths into the request's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from botocore.model import ListShape, Shape, StructureShape

from clary.aws.errors import Refusal

_MOST_FIELDS = 10_000


def form(body: bytes) -> dict[str, str]:
    """The fields of a form; `Action` names the operation.

    Raises:
        Refusal: it is no form.
    """
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except (UnicodeDecodeError, ValueError) as error:
        raise Refusal("MalformedQueryString", f"The request is no form: {error}") from None
    return dict(fields)


def members(shape: Shape | None, fields: Mapping[str, str]) -> dict[str, Any]:
    """The request that a form holds, with the JSON types of its shape.

    Raises:
        Refusal: a value is not of its type.
    """
    if not isinstance(shape, StructureShape):
        return {}
    found: dict[str, Any] = _structure(shape, fields, "")
    return found


def _structure(shape: StructureShape, fields: Mapping[str, str], place: str) -> dict[str, Any]:
    found = {}
    for name, member in shape.members.items():
        where = f"{place}{member.serialization.get('name', name)}"
        value = _value(member, fields, where)
        if value is not None:
            found[name] = value
    return found


def _value(shape: Shape, fields: Mapping[str, str], place: str) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(shape, fields, f"{place}.") or None
    if isinstance(shape, ListShape):
        return _list(shape, fields, place) or None
    text = fields.get(place)
    if text is None:
        return None
    try:
        return _typed(shape.type_name, text)
    except ValueError:
        message = f"{place} must be a {shape.type_name}, got {text[:100]!r}"
        raise Refusal("InvalidParameterValue", message) from None


def _list(shape: ListShape, fields: Mapping[str, str], place: str) -> list[Any]:
    found: list[Any] = []
    while len(found) < _MOST_FIELDS:
        item = _value(shape.member, fields, f"{place}.member.{len(found) + 1}")
        if item is None:
            break
        found.append(item)
    return found


def _typed(kind: str, text: str) -> Any:
    if kind in {"integer", "long"}:
        return int(text)
    if kind in {"float", "double"}:
        return float(text)
    return text == "true" if kind == "boolean" else text
