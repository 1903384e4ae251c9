"""Every algorithm answers every question; and the questions see what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from clary.algorithms import CATALOGUE, declaration
from clary.checks.questions import QUESTIONS, ask
from clary.checks.trainings import Trainings
from clary.spec.algorithm import TuningRange
from clary.spec.metrics import quality
from tests.cli.commands import clary

_SCRATCH = TemporaryDirectory(prefix="clary-checks-")


@cache
def trainings(name: str) -> Trainings:
    """One for each algorithm and test process, so that trainings are shared between questions."""
    folder = Path(_SCRATCH.name) / name
    folder.mkdir()
    return Trainings(declaration(name), folder)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.__name__)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.xdist_group(n)) for n in CATALOGUE]
)
def test_the_algorithm_answers(name: str, question: Callable[[Trainings], str]) -> None:
    told = ask(question, trainings(name))
    assert told.state == "passed", told.detail


def _told(question_name: str, faulty: Trainings) -> str:
    question = next(one for one in QUESTIONS if one.__name__ == question_name)
    told = ask(question, faulty)
    assert told.state == "failed"
    return told.detail


def test_a_metric_that_is_never_reported_is_seen(tmp_path: Path) -> None:
    algorithm = declaration("pca")
    extra = quality("test:beauty", "Maximize", "test beauty <score>", "Not to be had.")
    faulty = Trainings(replace(algorithm, metrics=(*algorithm.metrics, extra)), tmp_path)
    assert _told("metrics_are_reported", faulty) == "not reported: test:beauty"


def test_a_regex_that_does_not_match_its_line_is_seen(tmp_path: Path) -> None:
    algorithm = declaration("pca")
    wrong = replace(algorithm.metrics[0], regex="something else")
    faulty = Trainings(replace(algorithm, metrics=(wrong,)), tmp_path)
    assert "line and regex differ" in _told("declaration_is_complete", faulty)


def test_a_tuning_range_of_nothing_is_seen(tmp_path: Path) -> None:
    faulty = replace(declaration("pca"), tuning=(TuningRange("height", "Integer", 1, 2),))
    told = _told("declaration_is_complete", Trainings(faulty, tmp_path))
    assert told == "height can be tuned and is not declared"


def test_an_answer_type_that_is_not_written_is_seen(tmp_path: Path) -> None:
    algorithm = declaration("pca")
    inference = replace(algorithm.inference, accepts=("text/html",))
    faulty = Trainings(replace(algorithm, inference=inference), tmp_path)
    assert "text/html" in _told("requests_and_answers", faulty)


def test_the_command_asks_and_tells() -> None:
    told = clary("checks", "pca", "--json")
    assert told.code == 0
    assert {one["state"] for one in told.json["checks"]} == {"passed"}
    assert len(told.json["checks"]) == len(QUESTIONS)
