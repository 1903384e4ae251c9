"""`clary algorithms`, `clary describe` and `clary checks`."""

from __future__ import annotations

import click

from clary.algorithms import declaration, names
from clary.cli import options
from clary.cli.terminal import answer, answer_json, answer_table
from clary.errors import CallerError, Fault
from clary.spec.algorithm import Algorithm
from clary.spec.channels import ChannelSpec
from clary.spec.render import help_text


@click.command()
@options.as_json
def algorithms(as_json: bool) -> None:
    """List the algorithms."""
    found = [declaration(name) for name in names()]
    if as_json:
        keys = ("name", "title", "learning", "summary")
        listed = [{key: getattr(one, key) for key in keys} for one in found]
        return answer_json({"algorithms": listed})
    return answer_table(
        ("algorithm", "learning", "what it does"),
        [(one.name, one.learning, one.summary) for one in found],
    )


@click.command()
@options.algorithm
@options.as_json
def describe(algorithm: str, as_json: bool) -> None:
    """Show an algorithm's hyperparameters, channels, metrics and formats."""
    declared = declaration(algorithm)
    if as_json:
        return answer_json(declared.describe())
    answer(f"{declared.title} ({declared.name}): {declared.summary}\n")
    answer(help_text(declared) + "\n")
    for title, columns, rows in _tables(declared):
        answer_table(columns, rows, title)
        answer("")
    answer(f"Endpoint takes {', '.join(declared.inference.accepts)}")
    return answer(f"Endpoint answers {', '.join(declared.inference.returns)}")


@click.command()
@options.algorithm
@options.as_json
def checks(algorithm: str, as_json: bool) -> None:
    """Put to an algorithm the questions that each must answer; exit 1 if one is not."""
    from clary.checks.questions import ask_all  # loads the algorithm's libraries

    results = list(ask_all(declaration(algorithm)))
    if as_json:
        answer_json({"algorithm": algorithm, "checks": [result.describe() for result in results]})
    else:
        rows = [(one.state, one.question, one.detail) for one in results]
        answer_table(("", "question", ""), rows)
    wrong = [one for one in results if one.state == "failed"]
    if wrong:
        raise CallerError(*(Fault(one.question, one.detail) for one in wrong))


def _tables(algorithm: Algorithm) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    channels: list[tuple[str, ...]] = [
        (one.name, _types(one), ", ".join(one.modes), one.about) for one in algorithm.channels
    ]
    metrics: list[tuple[str, ...]] = [(m.name, m.goal, m.about) for m in algorithm.metrics]
    return [
        ("Channels", ("name", "content types", "modes", ""), channels),
        ("Metrics", ("name", "goal", ""), metrics),
    ]


def _types(channel: ChannelSpec) -> str:
    return ", ".join([*channel.content_types, *channel.beyond])
