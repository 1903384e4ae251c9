"""Tables of the page on serving: what each algorithm's model server reads and writes."""

from __future__ import annotations

from clary.algorithms import CATALOGUE, declaration
from clary.spec.outputs import Output
from clary.spec.render import table


def request_table() -> str:
    """The content types of requests, and what one without is taken for."""
    rows = [
        (
            _linked(name),
            _types(declaration(name).inference.accepts),
            f"by its first bytes, else `{declaration(name).inference.default_content_type}`",
        )
        for name in CATALOGUE
    ]
    return table(("algorithm", "reads", "without a `Content-Type`"), rows)


def answer_table() -> str:
    """The content types of answers, and what an answer to a row consists of."""
    rows = []
    for name in CATALOGUE:
        inference = declaration(name).inference
        parts = ", ".join(map(_named, inference.outputs))
        rows.append((_linked(name), _types(inference.returns), f"`{inference.json_top}`", parts))
    return table(("algorithm", "writes", "rows stand below", "an answer holds"), rows)


def _linked(name: str) -> str:
    folder = name.replace("-", "_")
    return f"[{name}](../src/clary/algorithms/{folder}/README.md#requests-and-answers)"


def _types(types: tuple[str, ...]) -> str:
    return ", ".join(f"`{one}`" for one in types)


def _named(output: Output) -> str:
    return f"`{output.name}`" + (" (with `verbose=true`)" if output.verbose else "")
