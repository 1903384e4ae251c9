"""What goes to the terminal: answers to standard output, everything else to standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def say(text: str) -> None:
    """A line for the person who watches."""
    print(text, file=sys.stderr, flush=True)


def answer(text: str) -> None:
    """A line of the answer."""
    print(text, flush=True)


def answer_json(value: Mapping[str, Any]) -> None:
    """One JSON object on one line, the last of standard output; numbers JSON lacks are null."""
    print(json.dumps(_finite(value)), flush=True)


def answer_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """A table fitted to the terminal; elsewhere a line for each row, whatever its length."""
    if not sys.stdout.isatty():
        answer("\n".join([*([title] if title else []), *_lines([columns, *rows])]))
        return
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False, emoji=False).print(table)


def shown(value: Any) -> str:
    """A value as a reader wants it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(padded).rstrip()


def _finite(value: Any) -> Any:
    """numpy's numbers and arrays as JSON has them."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return value
