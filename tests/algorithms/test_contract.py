"""Every declaration equals SageMaker's documented facts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from clary.algorithms import CATALOGUE, declaration
from clary.spec.algorithm import Algorithm

# Algorithms that SageMaker does not have, so that there is nothing to hold them against
OWN = {"svm", "tsne"}
FACTS = {
    name: yaml.safe_load((Path(__file__).parents[1] / "contract" / f"{name}.yaml").read_text())
    for name in CATALOGUE
    if name not in OWN
}
# Clary has these beside SageMaker's: choices by hyperparameter.
BEYOND = {
    ("linear-learner", "predictor_type"): {"multilabel_classifier"},
    ("linear-learner", "optimizer"): {"adagrad"},
    # The guide lacks these two; the SDK sends them
    ("linear-learner", "binary_classifier_model_selection_criteria"): {"f1", "cross_entropy_loss"},
}
# Whole hyperparameters that SageMaker's image does not have.
ADDED = {"randomcutforest": ["shingle_size", "time_decay"]}

each_algorithm = pytest.mark.parametrize(
    "algorithm", [declaration(name) for name in FACTS], ids=str
)
each_hyperparameter = pytest.mark.parametrize(
    ("algorithm", "fact"),
    [
        pytest.param(declaration(name), fact, id=f"{name}.{fact['name']}")
        for name in FACTS
        for fact in FACTS[name]["hyperparameters"]
    ],
)


@each_algorithm
def test_hyperparameters_are_the_documented_ones_in_the_documented_order(
    algorithm: Algorithm,
) -> None:
    documented = [fact["name"] for fact in FACTS[algorithm.name]["hyperparameters"]]
    added = ADDED.get(algorithm.name, [])
    assert list(algorithm.hyperparameters.declared()) == [*documented, *added]


@each_hyperparameter
def test_type_requirement_and_limits_are_the_documented_ones(
    algorithm: Algorithm, fact: dict[str, Any]
) -> None:
    one = algorithm.hyperparameters.declared()[fact["name"]].describe()
    assert one["type"] == fact["type"]
    required = "sometimes" if isinstance(one["required"], str) else one["required"]
    assert required == fact.get("required", False)
    for key in ("min", "max"):
        assert one[key] == fact.get(key)
    for key in ("exclusive_min", "exclusive_max", "accepts_auto"):
        auto = key == "accepts_auto" and "auto" in fact.get("choices", [])
        assert one[key] == fact.get(key, auto)
    assert set(one["aliases"]) == set(fact.get("aliases", []))


@each_hyperparameter
def test_the_default_is_the_documented_one(algorithm: Algorithm, fact: dict[str, Any]) -> None:
    default = algorithm.hyperparameters.declared()[fact["name"]].default
    assert _plain(default) == _plain(fact["default"])


@each_hyperparameter
def test_the_choices_are_the_documented_ones_and_said_additions(
    algorithm: Algorithm, fact: dict[str, Any]
) -> None:
    one = algorithm.hyperparameters.declared()[fact["name"]]
    words_alone = fact["type"] == "integer" and not one.choices
    if words_alone or fact["type"] not in {"integer", "categorical", "list", "json"}:
        return
    documented = {_plain(choice) for choice in fact.get("choices", [])}
    declared = {_plain(choice) for choice in one.choices}
    assert declared - documented == BEYOND.get((algorithm.name, one.name), set())
    assert documented <= declared


@each_algorithm
def test_names_that_images_take_beside_the_documented_are_let_through(algorithm: Algorithm) -> None:
    for name in FACTS[algorithm.name]["undocumented"]:
        known = name in algorithm.hyperparameters.declared()
        assert known or algorithm.hyperparameters.is_ignored(name), name


@each_algorithm
def test_channels_are_the_documented_ones(algorithm: Algorithm) -> None:
    # `code` is for SageMaker's script mode: a user's own training script, not the algorithm.
    facts = {
        fact["name"]: fact for fact in FACTS[algorithm.name]["channels"] if fact["name"] != "code"
    }
    assert {channel.name for channel in algorithm.channels} >= set(facts)
    for name, fact in facts.items():
        channel = algorithm.channel(name)
        assert channel.required == fact["required"]
        assert set(fact["content_types"]) == set(channel.content_types)
        assert set(fact["modes"]) <= set(channel.modes)
        assert set(fact["distribution"]) <= set(channel.distribution)


@each_algorithm
def test_metrics_have_the_documented_names_goals_and_regexes(algorithm: Algorithm) -> None:
    declared = {metric.name: metric for metric in algorithm.metrics}
    for fact in FACTS[algorithm.name]["metrics"]:
        metric = declared[fact["name"]]
        documented = fact.get("documented", True)
        told = metric.goal, metric.regex, metric.documented
        assert told == (fact["goal"], fact["regex"], documented)
    known = {fact["name"] for fact in FACTS[algorithm.name]["metrics"]}
    assert not any(declared[name].documented for name in declared.keys() - known)


@each_algorithm
def test_every_metric_line_is_matched_by_its_own_regex(algorithm: Algorithm) -> None:
    for metric in algorithm.metrics:
        if metric.line:
            fields = dict.fromkeys(re.findall(r"\{(\w+)\}", metric.line), "7")
            line = metric.line.format(**{**fields, "host": "algo-1", "value": "0.25"})
            found = re.search(metric.regex, line)
            assert found, (metric.name, line, metric.regex)
            assert found[1] == "0.25"


@each_algorithm
def test_tuning_ranges_are_the_documented_ones(algorithm: Algorithm) -> None:
    documented = [_tuning(fact) for fact in FACTS[algorithm.name]["tuning"]]
    assert [_tuning(one.describe()) for one in algorithm.tuning] == documented


@each_algorithm
def test_endpoints_take_and_give_the_documented_types(algorithm: Algorithm) -> None:
    facts = FACTS[algorithm.name]["inference"]
    assert set(algorithm.inference.accepts) == set(facts["accepts"])
    assert set(algorithm.inference.returns) == set(facts["returns"])


@each_algorithm
def test_nature_images_and_hardware_are_the_documented_ones(algorithm: Algorithm) -> None:
    described = algorithm.describe()
    for key in ("learning", "problem_types", "images", "instances"):
        assert described[key] == FACTS[algorithm.name][key], key


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(value)
    return str(value).lower() if isinstance(value, bool) else value


def _tuning(one: dict[str, Any]) -> tuple[Any, ...]:
    values = tuple(value.lower() for value in one.get("values") or ())
    return one["name"], one["kind"], one.get("min"), one.get("max"), values, one.get("scaling")
