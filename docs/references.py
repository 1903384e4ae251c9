"""Pages that are generated whole: the command line, Python, and performance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from clary.algorithms import declaration
from clary.cli.main import COMMANDS, app
from clary.sdk.estimators import ESTIMATORS, estimator_class
from clary.spec import render
from clary.spec.signature import stub_parameters

_METHODS = ("fit", "predict", "predict_proba", "transform", "score", "save")
_COLUMNS = {
    "case": "case",
    "ours": "Clary",
    "peer": "peer",
    "ratio": "times the peer's speed",
    "quality": "quality",
    "peer_quality": "peer's quality",
    "memory": "memory, Clary's and the peer's",
    "roof": "share of the roof",
    "verdict": "floor and goal",
}


def command_reference() -> str:
    """`--help` of every command."""
    parts = ["# Command line", "", "Exit codes: 0 done, 1 you can fix it, 2 our fault.", ""]
    context = click.Context(app, info_name="clary")
    for name in COMMANDS:
        command = app.get_command(context, name)  # type: ignore[attr-defined]
        inside = click.Context(command, info_name=name, parent=context, terminal_width=92)
        parts += [f"## clary {name}", "", "```text", command.get_help(inside), "```", ""]
    return "\n".join(parts)


def python_reference() -> str:
    """Every estimator with its parameters."""
    parts = [
        "# Python",
        "",
        "Every estimator takes SageMaker's hyperparameters as keyword arguments, under "
        "SageMaker's names (`lambda` is `lambda_`), and has `fit`, `save`, `get_params` and what "
        "its kind has in scikit-learn. `clary.load(path)` gives the estimator of a saved model.",
        "",
    ]
    for name in ESTIMATORS:
        kind = estimator_class(name)
        methods = [method for method in _METHODS if hasattr(kind, method)]
        algorithm = declaration(name)
        parts += [
            f"## {kind.__name__}",
            "",
            f"{algorithm.summary} Methods: {', '.join(f'`{m}`' for m in methods)}. "
            f"What the parameters mean is on [its page](algorithms/{name}.md#hyperparameters).",
            "",
            "```python",
            f"class {kind.__name__}:",
            "    def __init__(",
            "        self,",
            "        *,",
            stub_parameters(algorithm),
            "    ): ...",
            "```",
            "",
        ]
    return "\n".join(parts)


def performance(results: Path) -> str:
    """The benchmarks' results as tables."""
    parts = [
        "# Performance",
        "",
        "Measured by `make bench`: Clary and the peer in turn on the same file with the same "
        "number of threads, after one run that is not counted; medians, and in parentheses the "
        "spread of the ratio. The floor is what must hold, the goal is where it is heading. A case "
        "that is lost stays in the table.",
        "",
    ]
    for path in sorted(results.glob("*.json")):
        parts += _suite(json.loads(path.read_text()))
    parts.append((results.parent / "gaps.md").read_text())
    return "\n".join(parts)


def _suite(result: dict[str, Any]) -> list[str]:
    shown = [key for key in _COLUMNS if any(row.get(key) for row in result["rows"])]
    rows = [[str(row.get(key) or "") for key in shown] for row in result["rows"]]
    table = render.table([_COLUMNS[key] for key in shown], rows)
    machine = f"*{result['machine']}; {result['date']}*"
    return [f"## {result['title']}", "", result["about"], "", table, "", machine, ""]
