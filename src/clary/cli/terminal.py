"""What goes to the terminal: answers to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
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
    """One JSON object on one line, the last of standard output."""
    print(json.dumps(value, default=_plain), flush=True)


def answer_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """A table, plain where standard output is not a terminal."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def shown(value: Any) -> str:
    """A value as a reader wants it."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _plain(value: Any) -> Any:
    """numpy's numbers and arrays in JSON."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
