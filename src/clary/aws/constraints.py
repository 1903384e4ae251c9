"""The checks that clients leave to the server: patterns, maxima, enums, and all else of a shape.

The words are those of AWS's own validation, which people search for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from clary.aws.errors import Refusal, invalid

_MOST_TOLD = 20
# Any machine of AWS's, of whatever year, and this one
_INSTANCE_TYPES = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+|local(_gpu)?")
_LARGEST = {"integer": 2**31 - 1, "long": 2**63 - 1}
# Inside of character classes
_JAVA_CLASSES = {r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": r" \u00a0\u2000-\u200a\u3000"}
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float, str),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
}


def checked(shape: Shape | None, value: Any) -> dict[str, Any]:
    """A request's members as its shape knows them; unknown ones are left out, as are nulls.

    Raises:
        Refusal: SerializationException for a wrong JSON type, ValidationException with every
            constraint that is not met.
    """
    if not isinstance(value, dict):
        raise Refusal("SerializationException", "Start of structure or map expected")
    if not isinstance(shape, StructureShape):
        return {}
    known: dict[str, Any] = _known(shape, value, "")
    faults = list(_faults(shape, known, ""))
    if faults:
        count = f"{len(faults)} validation error{'s' if len(faults) > 1 else ''} detected: "
        raise invalid(count + "; ".join(faults[:_MOST_TOLD]))
    return known


def _known(shape: Shape, value: Any, place: str) -> Any:
    """The value without what the shape does not know, its JSON types checked."""
    wanted = _TYPES.get(shape.type_name)
    wrong = wanted and (
        not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)
    )
    if wrong:
        raise Refusal(
            "SerializationException",
            f"{place or 'request'} must be a {shape.type_name}, got {_shown(value)}",
        )
    if isinstance(shape, StructureShape):
        return {
            name: _known(member, value[name], _below(place, name))
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [
            _known(shape.member, item, f"{place}.{number + 1}.member")
            for number, item in enumerate(value)
        ]
    if isinstance(shape, MapShape):
        return {key: _known(shape.value, item, f"{place}.{key}") for key, item in value.items()}
    if shape.type_name == "timestamp":
        return _moment(value, place)
    bound = _LARGEST.get(shape.type_name)
    if bound and abs(value) > bound:
        raise Refusal("SerializationException", f"{place} must be a {shape.type_name}, got {value}")
    return value


def _moment(value: str | float, place: str) -> float:
    """A time as seconds of the epoch; it may come as ISO 8601, too."""
    try:
        seconds = datetime.fromisoformat(value).timestamp() if isinstance(value, str) else value
        datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise Refusal("SerializationException", f"{place} is no time: {_shown(value)}") from None
    return seconds


def _faults(shape: Shape, value: Any, place: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name in shape.required_members:
            if name not in value:
                yield _told("null", _below(place, name), "Member must not be null")
        for name, item in value.items():
            yield from _faults(shape.members[name], item, _below(place, name))
        return
    yield from (_told(_shown(value), place, rule) for rule in _broken(shape, value))
    if isinstance(shape, ListShape):
        for number, item in enumerate(value):
            yield from _faults(shape.member, item, f"{place}.{number + 1}.member")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from (
                _told(_shown(key), place, f"Map keys: {r}") for r in _broken(shape.key, key)
            )
            yield from _faults(shape.value, item, f"{place}.{key}.member")


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    """The rules that a value breaks, each in AWS's words."""
    limits = shape.metadata
    sized = isinstance(value, str | list | dict)
    amount = len(value) if sized else value
    noun = "length" if sized else "value"
    if isinstance(amount, int | float) and not isinstance(value, bool):
        if "min" in limits and amount < limits["min"]:
            yield f"Member must have {noun} greater than or equal to {limits['min']}"
        if "max" in limits and amount > limits["max"]:
            yield f"Member must have {noun} less than or equal to {limits['max']}"
    if not isinstance(value, str) or shape.type_name != "string":
        return
    enum = getattr(shape, "enum", [])
    if enum and _INSTANCE_TYPES.fullmatch(value) and "ml.m5.large" in enum:
        return
    if enum and value not in enum:
        yield f"Member must satisfy enum value set: [{', '.join(enum)}]"
    pattern = limits.get("pattern")
    # A value that is too long is told of already, and may take a pattern long
    if pattern and len(value) <= limits.get("max", len(value)) and not _fits(pattern, value):
        yield f"Member must satisfy regular expression pattern: {pattern}"


def _fits(pattern: str, value: str) -> bool:
    compiled = _compiled(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """A pattern of the models, which are Java's; None for what Python cannot say."""
    for java, python in _JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    try:
        return re.compile(pattern)
    except re.error:
        return None


def _told(value: str, place: str, rule: str) -> str:
    return f"Value '{value}' at '{place}' failed to satisfy constraint: {rule}"


def _below(place: str, name: str) -> str:
    """Members are written in camelCase in these messages."""
    camel = name[:1].lower() + name[1:]
    return f"{place}.{camel}" if place else camel


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
