"""Fills the generated parts of the documentation from the declarations and the benchmarks.

Tables in the algorithms' READMEs between `<!-- generated: NAME -->` and `<!-- end -->`, the stub
that editors read, and the pages under `docs/generated/`. With `--check` nothing is changed, and
what is stale is named.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from clary.algorithms import CATALOGUE, declaration
from clary.cli.main import COMMANDS, app
from clary.sdk.estimators import ESTIMATORS
from clary.sdk.stub import stub_text
from clary.spec import render
from clary.spec.algorithm import Algorithm
from clary.spec.signature import stub_parameters

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "generated"
RESULTS = ROOT / "benchmarks" / "results"
_TABLES = {
    "hyperparameters": render.hyperparameter_table,
    "channels": render.channel_table,
    "metrics": render.metric_table,
    "tuning": render.tuning_table,
    "answers": render.answer_table,
}
_METHODS = ("fit", "predict", "predict_proba", "transform", "score", "save")
_MARKED = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Write what is stale, or with `--check` only name it and exit 1."""
    stale = [(path, text) for path, text in _wanted() if _current(path) != text]
    if "--check" in sys.argv:
        sys.exit("".join(f"stale: {path.relative_to(ROOT)}\n" for path, _ in stale) or 0)
    for path, text in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _wanted() -> Iterator[tuple[Path, str]]:
    yield ROOT / "src/clary/__init__.pyi", stub_text()
    for name in CATALOGUE:
        algorithm = declaration(name)
        readme = ROOT / "src/clary/algorithms" / name.replace("-", "_") / "README.md"
        page = filled(readme.read_text(), algorithm)
        yield readme, page
        yield PAGES / f"{name}.md", page
    yield PAGES / "cli.md", _command_reference()
    yield PAGES / "python.md", _python_reference()
    yield PAGES / "performance.md", _performance()


def filled(text: str, algorithm: Algorithm) -> str:
    """A README with its generated tables."""
    return _MARKED.sub(lambda m: f"{m[1]}{_TABLES[m[2]](algorithm)}\n{m[3]}", text)


def _command_reference() -> str:
    parts = ["# Command line", "", "Exit codes: 0 done, 1 you can fix it, 2 our fault.", ""]
    context = click.Context(app, info_name="clary")
    for name in COMMANDS:
        command = app.get_command(context, name)  # type: ignore[attr-defined]
        page = command.get_help(click.Context(command, info_name=name, parent=context))
        parts += [f"## clary {name}", "", "```text", page, "```", ""]
    return "\n".join(parts)


def _python_reference() -> str:
    parts = [
        "# Python",
        "",
        "Every estimator takes SageMaker's hyperparameters as keyword arguments, under "
        "SageMaker's names (`lambda` is `lambda_`), and has `fit`, `save`, `get_params` and what "
        "its kind has in scikit-learn. `clary.load(path)` gives the estimator of a saved model.",
        "",
    ]
    for name, kind in ESTIMATORS.items():
        methods = [method for method in _METHODS if hasattr(kind, method)]
        parts += [
            f"## {kind.__name__}",
            "",
            f"{declaration(name).summary} Methods: {', '.join(f'`{m}`' for m in methods)}.",
            "",
            "```text",
            f"class {kind.__name__}:",
            "    def __init__(",
            "        self,",
            "        *,",
            stub_parameters(declaration(name)),
            "    )",
            "```",
            "",
        ]
    return "\n".join(parts)


def _performance() -> str:
    parts = [
        "# Performance",
        "",
        "Measured by `make bench`: Clary and the peer in turn on the same file with the same "
        "number of threads, after one run that is not counted; medians, and the spread of the "
        "ratio. A case that is lost stays in the table.",
        "",
    ]
    columns = ("case", "Clary", "peer", "ratio (spread)", "quality", "peer's quality", "memory")
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        rows = [[str(row.get(key, "")) for key in _ROW] for row in result["rows"]]
        parts += [
            f"## {result['title']}",
            "",
            result.get("about", ""),
            "",
            render.table(columns, rows),
        ]
        parts += ["", f"*{result['machine']}*", ""]
    return "\n".join(parts)


_ROW = ("case", "ours", "peer", "ratio", "quality", "peer_quality", "memory")


def _current(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    main()
