"""Prints the largest files and functions of the package, so that growth is seen.

`python -m tests.sizes`, a part of `make check`; it never fails.
"""

from __future__ import annotations

import ast
from pathlib import Path

_SOURCE = Path(__file__).parent.parent / "src" / "clary"
_SHOWN = 5


def main() -> None:
    """Print the largest files and functions."""
    trees = {path: ast.parse(path.read_text()) for path in sorted(_SOURCE.rglob("*.py"))}
    files = sorted(
        ((len(path.read_text().splitlines()), _name(path)) for path in trees), reverse=True
    )
    functions = sorted(
        (
            (node.end_lineno - node.lineno + 1, f"{_name(path)}:{node.name}")
            for path, tree in trees.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
        ),
        reverse=True,
    )
    _show("files", files)
    _show("functions", functions)


def _show(kind: str, sizes: list[tuple[int, str]]) -> None:
    middle = sizes[len(sizes) // 2][0] if sizes else 0
    largest = ", ".join(f"{name} {lines}" for lines, name in sizes[:_SHOWN])
    print(f"{len(sizes)} {kind}, median {middle} lines; largest: {largest}")


def _name(path: Path) -> str:
    return str(path.relative_to(_SOURCE))


if __name__ == "__main__":
    main()
