"""The grammar of rows that are not vectors of numbers: what each of their columns holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnKind = Literal["text", "address"]


@dataclass(frozen=True)
class Column:
    """One column of rows that are not numbers.

    `text` is anything but nothing, in UTF-8; `address` is an IPv4 or IPv6 address. Blanks around
    either do not count. `example` is a value, for warming up and for messages.
    """

    name: str
    kind: ColumnKind
    example: str
