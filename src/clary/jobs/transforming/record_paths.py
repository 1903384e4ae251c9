"""Paths into records, as InputFilter and OutputFilter have them: a part of JSONPath.

`$`, then steps: `.name`, `['name']`, `['a','b']`, `[0]`, `[-1]`, `[0,5:]`, `.*`, `[*]`. A slice's
end is inclusive, as SageMaker's guide has it: `$[1:4]` is the second to the fifth item.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from clary.errors import CallerError

MOST_CHARACTERS = 63
_NAME = re.compile(r"\.([^.\[\]\s'\"*()?@,:]+)")
_QUOTED = re.compile(r"\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")\s*")
_PLACE = re.compile(r"\s*(-?\d+)?\s*(?:(:)\s*(-?\d+)?)?\s*")
_ESCAPED = re.compile(r"\\(.)")


class Absent(LookupError):
    """The record has nothing at a place that a path names."""


@dataclass(frozen=True)
class Names:
    """Members of an object; of several an object is made."""

    names: tuple[str, ...]

    def of(self, value: Any) -> list[Any]:
        if not isinstance(value, dict):
            raise Absent(f"{_short(value)} is no object with a member {self.names[0]!r}")
        missing = [name for name in self.names if name not in value]
        if missing:
            raise Absent(f"there is no member {missing[0]!r}")
        if len(self.names) == 1:
            return [value[self.names[0]]]
        return [{name: value[name] for name in self.names}]


@dataclass(frozen=True)
class Slice:
    """Items from `first` to `last`, both of them included; below 0 they count from the end."""

    first: int | None
    last: int | None

    def of(self, length: int) -> range:
        first = 0 if self.first is None else _counted(self.first, length)
        last = length - 1 if self.last is None else _counted(self.last, length)
        return range(max(first, 0), min(last, length - 1) + 1)


@dataclass(frozen=True)
class Places:
    """Items of an array, in the order named."""

    places: tuple[int | Slice, ...]

    def of(self, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Absent(f"{_short(value)} is no array")
        return [value[index] for index in self._indices(len(value))]

    def _indices(self, length: int) -> Iterator[int]:
        for place in self.places:
            if isinstance(place, Slice):
                yield from place.of(length)
            elif not 0 <= _counted(place, length) < length:
                raise Absent(f"there is no item {place} among {length}")
            else:
                yield _counted(place, length)


@dataclass(frozen=True)
class Everything:
    """All members of an object, all items of an array."""

    def of(self, value: Any) -> list[Any]:
        if isinstance(value, dict):
            return list(value.values())
        if isinstance(value, list):
            return value
        raise Absent(f"{_short(value)} has no members or items")


Step: TypeAlias = Names | Places | Everything


@dataclass(frozen=True)
class Path:
    """A path that was read; `text` is how it was written."""

    text: str
    steps: tuple[Step, ...]

    @property
    def is_whole(self) -> bool:
        return not self.steps

    @property
    def is_of_places(self) -> bool:
        """Whether it can be asked of a row of CSV: whole, or one step by numbers."""
        return all(isinstance(one, Places | Everything) for one in self.steps) and (
            len(self.steps) < 2
        )

    def of(self, record: Any) -> Any:
        """One thing where each step names one; else the list of what was found.

        Raises:
            Absent: the record has no such thing.
        """
        found = [record]
        for step in self.steps:
            found = [part for value in found for part in step.of(value)]
        if self._names_one:
            return found[0]
        if not found:
            raise Absent(f"{self.text} finds nothing")
        return found

    @cached_property
    def _names_one(self) -> bool:
        return all(isinstance(step, Names) or _is_one_place(step) for step in self.steps)


def _is_one_place(step: Step) -> bool:
    return isinstance(step, Places) and len(step.places) == 1 and isinstance(step.places[0], int)


def read_path(thing: str, text: str) -> Path:
    """
    Raises:
        CallerError: it is no such path.
    """
    rule = (
        "must be a path such as $, $.name, $['a','b'], $[0], $[-1], $[1:4] or $[0,5:]; there are "
        "no .. and no expressions"
    )
    if len(text) > MOST_CHARACTERS:
        raise CallerError.of(thing, f"must have at most {MOST_CHARACTERS} characters", text)
    if not text.startswith("$"):
        raise CallerError.of(thing, "must begin with $", text)
    steps, at = [], 1
    while at < len(text):
        found = _step(text, at)
        if found is None:
            raise CallerError.of(thing, rule, text)
        step, at = found
        steps.append(step)
    if any(isinstance(step, Names) and len(step.names) > 1 for step in steps[:-1]):
        raise CallerError.of(thing, "a list of names must be the last step", text)
    return Path(text, tuple(steps))


def _step(text: str, at: int) -> tuple[Step, int] | None:
    """The step that begins there, and where the next one does."""
    if text.startswith(".*", at):
        return Everything(), at + 2
    if named := _NAME.match(text, at):
        return Names((named[1],)), named.end()
    end = _bracket_end(text, at)
    if end is None:
        return None
    inside = text[at + 1 : end]
    if inside.strip() == "*":
        return Everything(), end + 1
    names = _separated(inside, _QUOTED)
    if names:
        told = [one[1] if one[1] is not None else one[2] for one in names]
        return Names(tuple(_ESCAPED.sub(r"\1", one) for one in told)), end + 1
    places = _separated(inside, _PLACE)
    if places and all(one[1] or one[2] for one in places):
        return Places(tuple(_place(one) for one in places)), end + 1
    return None


def _bracket_end(text: str, at: int) -> int | None:
    """Where the bracket that opens there closes; brackets in quotes do not count."""
    if text[at] != "[":
        return None
    place = at + 1
    while place < len(text) and text[place] != "]":
        quoted = _QUOTED.match(text, place)
        place = quoted.end() if quoted else place + 1
    return place if place < len(text) else None


def _separated(text: str, kind: re.Pattern[str]) -> list[re.Match[str]] | None:
    """The items of a list with commas, if it is one of this kind."""
    found, at = [], 0
    while one := kind.match(text, at):
        found.append(one)
        if one.end() == len(text):
            return found
        if text[one.end()] != ",":
            return None
        at = one.end() + 1
    return None


def _place(found: re.Match[str]) -> int | Slice:
    first, colon, last = found[1], found[2], found[3]
    if colon is None:
        return int(first)
    return Slice(int(first) if first else None, int(last) if last else None)


def _counted(place: int, length: int) -> int:
    return place + length if place < 0 else place


def _short(value: Any) -> str:
    told = json.dumps(value)
    return told if len(told) <= 40 else f"{told[:40]}…"
