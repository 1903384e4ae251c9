"""One declaration, many forms: help, tables, signatures, API structures."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from clary.algorithms import CATALOGUE, declaration
from clary.spec import render
from clary.spec.signature import signature, stub_docstring, stub_parameters
from clary.spec.training_specification import training_specification

ALGORITHMS = sorted(CATALOGUE)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_help_names_every_hyperparameter(name: str) -> None:
    algorithm = declaration(name)
    text = render.help_text(algorithm)
    assert all(f"  {one}  [" in text for one in algorithm.hyperparameters.declared())


@pytest.mark.parametrize("name", ALGORITHMS)
def test_tables_have_a_row_for_each_entry_and_equal_columns(name: str) -> None:
    algorithm = declaration(name)
    declared = algorithm.hyperparameters.declared()
    lines = render.hyperparameter_table(algorithm).splitlines()
    assert len(lines) == 2 + len(declared)
    assert {line.replace("\\|", "").count("|") for line in lines} == {5}
    assert len(render.metric_table(algorithm).splitlines()) == 2 + len(algorithm.metrics)
    assert len(render.channel_table(algorithm).splitlines()) == 2 + len(algorithm.channels)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_training_specification_is_one_that_botocore_accepts(name: str) -> None:
    shape, structure = _specification(name)
    report = ParamValidator().validate(structure, shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_training_specification_keeps_the_services_limits(name: str) -> None:
    assert list(_beyond_limits(*_specification(name), "")) == []


def test_a_structure_beyond_the_services_limits_would_be_noticed() -> None:
    shape, structure = _specification("kmeans")
    structure["MetricDefinitions"] *= 20
    structure["SupportedHyperParameters"][0]["Type"] = "Number"
    assert len(list(_beyond_limits(shape, structure, ""))) == 2


def test_what_tuning_may_aim_at_is_among_the_metrics() -> None:
    for name in ALGORITHMS:
        _, structure = _specification(name)
        names = {one["Name"] for one in structure["MetricDefinitions"]}
        assert {
            one["MetricName"] for one in structure["SupportedTuningJobObjectiveMetrics"]
        } <= names


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_signature_has_one_keyword_for_each_hyperparameter(name: str) -> None:
    algorithm = declaration(name)
    parameters = list(signature(algorithm).parameters.values())[1:]
    assert len(parameters) == len(algorithm.hyperparameters.declared())
    assert {one.kind for one in parameters} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_stub_parameters_are_python(name: str) -> None:
    algorithm = declaration(name)
    text = f"def f(\n*,\n{stub_parameters(algorithm)}\n) -> None: ...\nclass C:\n"
    compile(text + stub_docstring(algorithm), "stub", "exec")


def _specification(name: str) -> tuple[Any, dict[str, Any]]:
    model = botocore.session.get_session().get_service_model("sagemaker")
    image = f"811284229777.dkr.ecr.us-east-1.amazonaws.com/{name}:1"
    specification = training_specification(declaration(name), image)
    return model.shape_for("TrainingSpecification"), specification


def _beyond_limits(shape: Any, value: Any, path: str) -> Iterator[str]:
    """What the service refuses and botocore's validator lets pass: lengths and enumerations."""
    limits = shape.metadata
    if not limits.get("min", 0) <= (len(value) if isinstance(value, (str, list)) else 1):
        yield f"{path}: shorter than {limits['min']}"
    if isinstance(value, (str, list)) and len(value) > limits.get("max", len(value)):
        yield f"{path}: longer than {limits['max']}"
    if "enum" in limits and value not in limits["enum"]:
        yield f"{path}: {value} is none of {limits['enum']}"
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _beyond_limits(shape.members[name], member, f"{path}.{name}")
    if isinstance(value, list):
        for member in value:
            yield from _beyond_limits(shape.member, member, f"{path}[]")
