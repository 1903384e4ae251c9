"""A declaration as a Python signature, and as the stub file that an editor reads."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable
from typing import Any

from clary.spec.algorithm import Algorithm
from clary.spec.hyperparameter import Hyperparameter
from clary.spec.render import sentence

_TYPES = {
    "integer": "int",
    "float": "float",
    "boolean": "bool",
    "list": "Sequence[Any]",
    "json": "Sequence[Any]",
}
_MAP = "Mapping[Any, float]"
# As words on the wire, as bool in Python
_SWITCH = ("true", "false")


def signature(algorithm: Algorithm, extra: Iterable[inspect.Parameter] = ()) -> inspect.Signature:
    """`(self, *, k=None, epochs=1, …)`: what `get_params` and `help` look at.

    A required hyperparameter defaults to None here, since scikit-learn wants to be able to build
    an estimator without arguments; leaving it out is refused in `fit`.
    """
    declared = algorithm.hyperparameters.declared().values()
    parameters = [
        inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        *(
            inspect.Parameter(
                python_name(one.name),
                inspect.Parameter.KEYWORD_ONLY,
                default=python_default(one),
                annotation=_annotation(one),
            )
            for one in declared
        ),
        *extra,
    ]
    return inspect.Signature(parameters)


def python_name(name: str) -> str:
    """`lambda` is a word of the language: the keyword argument is `lambda_`."""
    return f"{name}_" if name == "lambda" else name


def wire_name(name: str) -> str:
    """The hyperparameter of a keyword argument."""
    return "lambda" if name == "lambda_" else name


def python_default(one: Hyperparameter) -> Any:
    """The value that an estimator's keyword argument has when it is left out."""
    return None if one.inferred or one.left_to_engine else one.default


def stub_parameters(algorithm: Algorithm) -> str:
    """The keyword arguments of `__init__` in a stub file, one a line."""
    return "\n".join(
        f"        {python_name(one.name)}: {_annotation(one)}{_stub_default(one)},"
        for one in algorithm.hyperparameters.declared().values()
    )


def docstring(algorithm: Algorithm, about: str) -> str:
    """What `help` shows: what it is about, then every hyperparameter."""
    arguments = [
        f"    {python_name(one.name)}: {sentence(one)}"
        for one in algorithm.hyperparameters.declared().values()
    ]
    return "\n".join([about.rstrip(), "", "Args:", *arguments])


def stub_docstring(algorithm: Algorithm) -> str:
    """The docstring of a stub class, quoted and indented."""
    text = docstring(algorithm, f"{algorithm.title}. {algorithm.summary}").replace("\\", "\\\\")
    return textwrap.indent(f'"""{text}\n"""', "    ")


def _annotation(one: Hyperparameter) -> str:
    words = one.choices if one.kind == "categorical" else one.words
    parts = [] if one.kind == "categorical" else [_MAP if one.is_map else _TYPES[one.kind]]
    if words == _SWITCH:
        parts.append("bool")
    if words:
        parts.append(f"Literal[{', '.join(repr(word) for word in words)}]")
    if python_default(one) is None and not _is_required(one):
        parts.append("None")
    return " | ".join(parts)


def _stub_default(one: Hyperparameter) -> str:
    return "" if _is_required(one) else f" = {python_default(one)!r}"


def _is_required(one: Hyperparameter) -> bool:
    return one.required is True and not one.inferred
