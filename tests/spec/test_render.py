"""One declaration, many forms: help, tables, signatures, API structures."""

from __future__ import annotations

import inspect

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
    model = botocore.session.get_session().get_service_model("sagemaker")
    structure = training_specification(
        declaration(name), f"811284229777.dkr.ecr.us-east-1.amazonaws.com/{name}:1"
    )
    report = ParamValidator().validate(structure, model.shape_for("TrainingSpecification"))
    assert not report.has_errors(), report.generate_report()


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
