"""Questions to the declaration alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from clary.algorithms import fit_of, model_class
from clary.checks.trainings import Trainings
from clary.checks.verdict import Wrong, want
from clary.errors import CallerError
from clary.spec.algorithm import Algorithm
from clary.spec.hyperparameter import Hyperparameter
from clary.spec.hyperparameters import AUTO
from clary.spec.training_specification import training_specification

_NO_WORD = "no-such-word"


def declaration_is_complete(trainings: Trainings) -> str:
    """The declaration is complete."""
    algorithm = trainings.algorithm
    declared = algorithm.hyperparameters.declared()
    want(bool(algorithm.examples), "it has no examples")
    want(algorithm.channel("train").required, "the channel train must be required")
    said = {one.name: one.about for one in declared.values()}
    said |= {one.name: one.about for one in algorithm.channels}
    said |= {one.name: one.about for one in algorithm.metrics}
    said |= {one.name: one.about for one in algorithm.inference.outputs}
    for name, about in said.items():
        want(len(about) > 5, f"{name} does not say what it is")
    _want_metrics_found(algorithm)
    for tuned in algorithm.tuning:
        want(tuned.name in declared, f"{tuned.name} can be tuned and is not declared")
    _want_defaults_allowed(algorithm)
    json.dumps([algorithm.describe(), training_specification(algorithm, "image")], allow_nan=False)
    want(callable(fit_of(algorithm)), f"{algorithm.fit} is no function")
    want(model_class(algorithm).algorithm.name == algorithm.name, f"{algorithm.model} is another's")
    return f"{len(declared)} hyperparameters, {len(algorithm.metrics)} metrics"


def limits_hold(trainings: Trainings) -> str:
    """Every limit and choice is accepted at the edge and refused beyond."""
    tried = 0
    for one in trainings.algorithm.hyperparameters.declared().values():
        for value, right in _tries(one):
            tried += 1
            want(_accepts(one, value) == right, f"{one.name}={value} was {'not ' * right}accepted")
    return f"{tried} values"


def unknown_names_are_refused(trainings: Trainings) -> str:
    """A misspelt hyperparameter is refused and the right one offered."""
    hyperparameters = trainings.algorithm.hyperparameters
    name = max(hyperparameters.declared(), key=len)
    try:
        hyperparameters.parse({name[:-1] + "_x": "1"})
    except CallerError as refused:
        want(name in str(refused), f"{name} was not offered: {refused}")
        return str(refused.faults[0])
    raise Wrong(f"{name[:-1]}_x was accepted")


def _want_metrics_found(algorithm: Algorithm) -> None:
    """A value in a metric's line is found by its own regex and by no other's."""
    for metric in algorithm.metrics:
        if metric.line:
            fields = dict.fromkeys(re.findall(r"\{(\w+)\}", metric.line), "x")
            line = metric.line.format(**{**fields, "value": "0.5"})
            found = re.search(metric.regex, line)
            want(found is not None and found[1] == "0.5", f"{metric.name}: line and regex differ")
            others = [one.name for one in algorithm.metrics if re.search(one.regex, line)]
            want(others == [metric.name], f"the line of {metric.name} is found by {others}")


def _want_defaults_allowed(algorithm: Algorithm) -> None:
    for one in algorithm.hyperparameters.declared().values():
        if one.default is not None:
            allowed = _accepts(one, one.default)
            want(allowed, f"{one.name}: its default {one.default} is not allowed")


def _accepts(one: Hyperparameter, value: object) -> bool:
    try:
        one.parse(value)
    except ValueError:
        return False
    return True


def _tries(one: Hyperparameter) -> Iterator[tuple[str, bool]]:
    """Texts as SageMaker sends them, and whether they are right."""
    yield AUTO, one.accepts_auto or (one.kind == "list" and not one.choices)
    if one.kind in {"integer", "float"}:
        yield from ((str(value), right) for value, right in _edges(one))
        yield from ((text, False) for text in ("nan", "1e999", "", _NO_WORD))
    if one.kind == "integer":
        yield from ((text, False) for text in ("10.5", "+10", "010", "1e1"))
        yield from ((str(choice), True) for choice in one.choices)
    elif one.kind == "boolean":
        yield from ((text, True) for text in ("true", "False", "TRUE"))
        yield from ((text, False) for text in ("yes", "", "2"))
    elif one.choices:
        yield from ((_as_sent(one, choice), True) for choice in one.choices)
        yield _NO_WORD, False


def _as_sent(one: Hyperparameter, choice: Any) -> str:
    """Choices of a list are what it may hold, those of JSON whole values."""
    if one.kind == "categorical":
        return str(choice)
    return json.dumps([choice] if one.kind == "list" else choice)


def _edges(one: Hyperparameter) -> Iterator[tuple[Any, bool]]:
    """Values at and beyond each limit, and whether they are right."""
    step = 1 if one.kind == "integer" else 1e-6
    for limit, beyond, exclusive in (
        (one.min, -1, one.exclusive_min),
        (one.max, 1, one.exclusive_max),
    ):
        if limit is not None:
            edge = int(limit) if one.kind == "integer" else limit
            inside = edge - beyond * step
            yield edge, not exclusive
            yield edge + beyond * step * max(1, abs(edge) * 1e-3), False
            if one.min != one.max:
                yield inside, not one.choices or inside in one.choices
