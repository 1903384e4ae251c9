"""One hyperparameter as declared, and the reading of its values."""

from __future__ import annotations

import ast
import difflib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["integer", "float", "boolean", "categorical", "list", "json"]

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter as declared. `required` may be a sentence: when it is required."""

    name: str
    kind: Kind
    about: str
    required: bool | str = False
    default: Any = None
    min: float | None = None
    max: float | None = None
    exclusive_min: bool = False
    exclusive_max: bool = False
    choices: tuple[Any, ...] = ()
    words: tuple[str, ...] = ()
    when: str = ""
    versions: str = ""
    aliases: tuple[str, ...] = ()
    inferred: bool = False
    left_to_engine: bool = False
    pattern: str = ""
    # JSON of the form {"name": number}, not a list
    is_map: bool = False

    @property
    def accepts_auto(self) -> bool:
        return "auto" in self.words

    def parse(self, value: Any) -> Any:
        """The typed value. Raises ValueError whose text is `rule` or `rule|remedy`."""
        if isinstance(value, str):
            value = _unquoted(value.strip())
            if value.lower() in self.words:
                return value.lower()
        return _PARSERS[self.kind](self, value)

    def rule(self) -> str:
        """What a value must be, in words: `must be an integer of at least 1, or auto`."""
        noun = {"integer": "an integer", "float": "a number", "boolean": "true or false"}
        if self.kind in {"integer", "categorical"} and self.choices:
            text = f"one of {', '.join(str(choice) for choice in self.choices)}"
        elif self.kind in noun:
            parts = [noun[self.kind]]
            if limits := self._limits():
                parts.append(limits)
            text = " ".join(parts)
        elif self.is_map:
            text = f"JSON text of names with numbers {self._limits()}".rstrip()
        elif self.choices:
            text = f"a list of {', '.join(str(word) for word in self._items())}"
        else:
            text = "JSON text" if self.kind == "json" else "a list"
        if self.kind == "categorical":
            return f"must be {text}"
        return f"must be {text}" + "".join(f", or {word}" for word in self.words)

    def _items(self) -> list[Any]:
        """What a list may hold; JSON choices are whole lists."""
        if self.kind != "json":
            return list(self.choices)
        return list(dict.fromkeys(item for choice in self.choices for item in choice))

    def _limits(self) -> str:
        low = high = ""
        if self.min is not None:
            low = f"{'above' if self.exclusive_min else 'of at least'} {self.min:g}"
        if self.max is not None:
            high = f"{'below' if self.exclusive_max else 'at most'} {_plain(self.max)}"
        return " and ".join(part for part in (low, high) if part)

    def describe(self) -> dict[str, Any]:
        """The declaration with the keys that `clary describe --json` prints."""
        return {
            "name": self.name,
            "type": self.kind,
            "required": self.required,
            "default": self.default,
            "min": self.min,
            "max": self.max,
            "exclusive_min": self.exclusive_min,
            "exclusive_max": self.exclusive_max,
            "choices": list(self.choices) or list(self.words) or None,
            "accepts_auto": self.accepts_auto,
            "inferred_when_missing": self.inferred,
            "when": self.when or None,
            "versions": self.versions or None,
            "aliases": list(self.aliases),
            "about": self.about,
        }


def _unquoted(text: str) -> str:
    """JumpStart and script-mode estimators send values as JSON: `"\\"150\\""` means 150."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            inner = json.loads(text)
        except ValueError:
            return text
        return inner if isinstance(inner, str) else text
    return text


def _parse_integer(declared: Hyperparameter, value: Any) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value) and len(value) < 4000:
        value = int(value)
    # numpy's integers have __index__ and are not int; booleans are int and not wanted
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ValueError(declared.rule())
    if declared.choices and int(value) not in declared.choices:
        raise ValueError(declared.rule())
    return int(_limited(declared, int(value)))


def _parse_number(declared: Hyperparameter, value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(declared.rule())
    try:
        parsed = float(value)
    except (TypeError, ValueError):
        raise ValueError(declared.rule()) from None
    if not math.isfinite(parsed):
        raise ValueError(declared.rule())
    return _limited(declared, parsed)


def _limited(declared: Hyperparameter, value: float) -> float:
    low, high = declared.min, declared.max
    if low is not None and (value < low or (declared.exclusive_min and value == low)):
        raise ValueError(f"must be {'above' if declared.exclusive_min else 'at least'} {low:g}")
    if high is not None and (value > high or (declared.exclusive_max and value == high)):
        word = "below" if declared.exclusive_max else "at most"
        raise ValueError(f"must be {word} {_plain(high)}")
    return value


def _parse_boolean(declared: Hyperparameter, value: Any) -> bool:
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if isinstance(value, bool) or type(value).__name__ in {"bool", "bool_"}:
        return bool(value)
    raise ValueError(declared.rule())


def _parse_choice(declared: Hyperparameter, value: Any) -> Any:
    if isinstance(value, bool):
        value = str(value).lower()
    if value in declared.choices:
        return value
    near = difflib.get_close_matches(str(value), [str(c) for c in declared.choices], n=1)
    raise ValueError(declared.rule() + (f"|Did you mean {near[0]!r}?" if near else ""))


def _parse_listing(declared: Hyperparameter, value: Any) -> tuple[Any, ...]:
    if isinstance(value, str):
        opened = value[:1] in "[("
        value = _literal(declared, value) if opened else [v.strip() for v in value.split(",")]
    if not isinstance(value, (list, tuple)):
        value = [value]
    for item in value:
        if declared.choices and item not in declared.choices and not _matches(declared, item):
            near = difflib.get_close_matches(str(item), [str(c) for c in declared.choices], n=1)
            raise ValueError(declared.rule() + (f"|Did you mean {near[0]!r}?" if near else ""))
    return tuple(value)


def _matches(declared: Hyperparameter, item: Any) -> bool:
    return bool(declared.pattern) and re.fullmatch(declared.pattern, str(item)) is not None


def _parse_json(declared: Hyperparameter, value: Any) -> Any:
    if isinstance(value, str):
        value = _literal(declared, value)
    if declared.is_map:
        return _parse_map(declared, value)
    frozen = _frozen(value)
    if not isinstance(frozen, tuple):
        raise ValueError(declared.rule())
    if declared.choices and not (frozen and all(one in declared._items() for one in frozen)):
        raise ValueError(declared.rule())
    return frozen


def _parse_map(declared: Hyperparameter, value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping) or not value:
        raise ValueError(declared.rule())
    return {str(name): _parse_number(declared, one) for name, one in value.items()}


def _literal(declared: Hyperparameter, text: str) -> Any:
    """JSON, or the Python literal that a generic Estimator sends for a list."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ValueError(declared.rule()) from None


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


_PARSERS: Mapping[Kind, Callable[[Hyperparameter, Any], Any]] = {
    "integer": _parse_integer,
    "float": _parse_number,
    "boolean": _parse_boolean,
    "categorical": _parse_choice,
    "list": _parse_listing,
    "json": _parse_json,
}
