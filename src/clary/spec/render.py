"""Declarations as people read them: help for a terminal, tables in Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from clary.spec.algorithm import Algorithm
from clary.spec.hyperparameter import Hyperparameter
from clary.spec.metrics import Metric
from clary.spec.outputs import Output

_NONE = "none"


def help_text(algorithm: Algorithm, columns: int = 100) -> str:
    """The hyperparameters as `clary train ALGORITHM --help` shows them."""
    lines = [f"Hyperparameters of {algorithm.name} (-p NAME=VALUE):", ""]
    for one in algorithm.hyperparameters.declared().values():
        lines += _wrapped(f"{one.name}  {_short(one)}", columns, "  ")
        lines += _wrapped(sentence(one).replace("`", ""), columns, "      ")
    return "\n".join(lines)


def hyperparameter_table(algorithm: Algorithm) -> str:
    """Markdown: one row for each hyperparameter, in the order of SageMaker's page."""
    rows = [
        (f"`{one.name}`", _kind(one), _default(one), sentence(one))
        for one in algorithm.hyperparameters.declared().values()
    ]
    return table(("name", "values", "default", "what it does"), rows)


def channel_table(algorithm: Algorithm) -> str:
    """Markdown: one row for each channel."""
    rows = [
        (
            f"`{one.name}`" + (" (required)" if one.required else ""),
            ", ".join(f"`{kind}`" for kind in one.content_types),
            ", ".join(f"`{kind}`" for kind in one.beyond) or _NONE,
            ", ".join(one.modes),
            one.about,
        )
        for one in algorithm.channels
    ]
    return table(("channel", "content types", "beyond SageMaker", "input modes", "holds"), rows)


def metric_table(algorithm: Algorithm) -> str:
    """Markdown: one row for each metric."""
    rows = [(f"`{one.name}`", one.goal, _metric_sentence(one)) for one in algorithm.metrics]
    return table(("metric", "goal", "what it is"), rows)


def tuning_table(algorithm: Algorithm) -> str:
    """Markdown: the ranges that automatic tuning searches, or a sentence where there are none."""
    if not algorithm.tuning:
        return "SageMaker documents no tuning ranges for this algorithm."
    rows = [
        (
            f"`{one.name}`",
            one.kind,
            ", ".join(one.values) if one.values else f"{one.min:g} to {one.max:g}",
            one.scaling or _NONE,
        )
        for one in algorithm.tuning
    ]
    return table(("hyperparameter", "kind", "range", "scaling"), rows)


def answer_table(algorithm: Algorithm) -> str:
    """Markdown: what an endpoint takes and gives."""
    inference = algorithm.inference
    rows = [
        (f"`{one.name}`", one.vector or "1", one.kind, one.about, _when(one))
        for one in inference.outputs
    ]
    return "\n\n".join(
        [
            "Takes " + ", ".join(f"`{kind}`" for kind in inference.accepts) + ".",
            "Answers " + ", ".join(f"`{kind}`" for kind in inference.returns) + ".",
            table(("answer", "length", "numbers", "what it is", "when"), rows),
        ]
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars inside cells are escaped."""
    lines = [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines)


def sentence(one: Hyperparameter) -> str:
    """What a hyperparameter does, and when it matters."""
    parts = [one.about]
    if one.when:
        parts.append(f"Used when {one.when}.")
    if one.inferred:
        parts.append("Read from the data when left out.")
    if one.versions:
        parts.append(f"Versions: {one.versions}.")
    if one.aliases:
        parts.append(f"Also called {', '.join(f'`{alias}`' for alias in one.aliases)}.")
    return " ".join(parts)


def _when(one: Output) -> str:
    parts = [one.when, "asked for with `;verbose=true`" if one.verbose else ""]
    return ", ".join(part for part in parts if part) or "always"


def _metric_sentence(one: Metric) -> str:
    parts = [one.about]
    if one.when:
        parts.append(f"When {one.when}.")
    if not one.documented:
        parts.append("Not on SageMaker's page.")
    return " ".join(parts)


def _wrapped(text: str, columns: int, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        columns,
        initial_indent=indent,
        subsequent_indent=" " * 6,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _short(one: Hyperparameter) -> str:
    state = _default(one)
    return f"[{_kind(one)}; {state if state == 'required' else f'default {state}'}]".replace(
        "`", ""
    )


def _kind(one: Hyperparameter) -> str:
    return one.rule().removeprefix("must be ")


def _default(one: Hyperparameter) -> str:
    if one.required is True and not one.inferred:
        return "required"
    if one.inferred:
        return "from the data"
    return _NONE if one.default is None else f"`{_written(one.default)}`"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return str(value)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
