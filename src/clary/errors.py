"""What can go wrong, and whose fault it is.

`CallerError` is for everything the user can mend; any other exception is ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

_NOTHING = object()


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: the thing, the rule it breaks, what was got, what to do."""

    thing: str
    rule: str
    got: object = _NOTHING
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.thing}: {self.rule}"
        if self.got is not _NOTHING:
            text += f", got {_shown(self.got)}"
        return f"{text}. {self.remedy}" if self.remedy else text


class CallerError(Exception):
    """The user can fix it. Carries one or more faults, all those found at once."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults

    @classmethod
    def of(cls, thing: str, rule: str, got: object = _NOTHING, remedy: str = "") -> Self:
        """The usual case: one fault."""
        return cls(Fault(thing, rule, got, remedy))

    def __reduce__(self) -> tuple[type[CallerError], tuple[Fault, ...]]:
        return type(self), self.faults


class UnsupportedContentType(CallerError):
    """A request came in a type that the algorithm does not read (HTTP 415)."""


class NotAcceptable(CallerError):
    """An answer was asked for in a type that the algorithm does not write (HTTP 406)."""


class PayloadTooLarge(CallerError):
    """A request is longer than the server takes (HTTP 413)."""


def raise_all(faults: Iterable[Fault]) -> None:
    """Raise one CallerError with all the faults, if there are any."""
    found = tuple(faults)
    if found:
        raise CallerError(*found)


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 120 else f"{text[:100]}… ({len(text):,} characters)"
