"""A declaration as SageMaker's API describes it: the TrainingSpecification of CreateAlgorithm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clary.spec.algorithm import Algorithm
from clary.spec.channels import ChannelSpec
from clary.spec.hyperparameter import Hyperparameter
from clary.spec.metrics import Metric

_LARGEST = "1.7976931348623157e308"
_LARGEST_INTEGER = "9223372036854775807"
_TYPES = {"integer": "Integer", "float": "Continuous", "categorical": "Categorical"}
# What the API takes at most
_METRICS, _VALUES = 40, 30
_CPU_INSTANCES = ["ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge", "ml.c5.xlarge", "ml.c5.2xlarge"]


def training_specification(algorithm: Algorithm, image: str) -> dict[str, Any]:
    """The structure that DescribeAlgorithm answers; botocore's model accepts it.

    A hyperparameter that takes `auto` beside numbers is FreeText there, since SageMaker's ranges
    cannot say it. Of more metrics than the API takes, documented and held-out ones go first.
    """
    tunable = {one.name for one in algorithm.tuning}
    return {
        "TrainingImage": image,
        "SupportedHyperParameters": [
            _hyperparameter(one, one.name in tunable)
            for one in algorithm.hyperparameters.declared().values()
        ],
        "SupportedTrainingInstanceTypes": _CPU_INSTANCES,
        "SupportsDistributedTraining": algorithm.hardware.multi_instance,
        "MetricDefinitions": [
            {"Name": one.name, "Regex": one.regex} for one in _foremost(algorithm.metrics)
        ],
        "TrainingChannels": [_channel(one) for one in algorithm.channels],
        "SupportedTuningJobObjectiveMetrics": [
            {"Type": one.goal, "MetricName": one.name}
            for one in algorithm.metrics
            if algorithm.tuning and one.documented
        ],
    }


def _foremost(metrics: Sequence[Metric]) -> list[Metric]:
    ranked = sorted(metrics, key=lambda one: (not one.documented, one.name.startswith("train:")))
    return ranked[:_METRICS]


def _hyperparameter(one: Hyperparameter, tunable: bool) -> dict[str, Any]:
    kind = "FreeText" if one.words and one.kind != "categorical" else _TYPES.get(one.kind)
    if one.kind == "boolean" and not one.words:
        kind = "Categorical"
    described: dict[str, Any] = {
        "Name": one.name,
        "Description": one.about,
        "Type": kind if kind and len(one.choices) <= _VALUES else "FreeText",
        "IsTunable": tunable,
        "IsRequired": one.required is True,
    }
    if one.default is not None:
        described["DefaultValue"] = _text(one.default)
    if bounds := _range(one, described["Type"]):
        described["Range"] = bounds
    return described


def _range(one: Hyperparameter, kind: str) -> dict[str, Any]:
    if kind == "Integer":
        return {"IntegerParameterRangeSpecification": _bounds(one, _LARGEST_INTEGER)}
    if kind == "Continuous":
        return {"ContinuousParameterRangeSpecification": _bounds(one, _LARGEST)}
    if kind == "Categorical":
        values = ["true", "false"] if one.kind == "boolean" else [str(c) for c in one.choices]
        return {"CategoricalParameterRangeSpecification": {"Values": values}}
    return {}


def _bounds(one: Hyperparameter, largest: str) -> dict[str, str]:
    return {
        "MinValue": f"-{largest}" if one.min is None else _text(one.min),
        "MaxValue": largest if one.max is None else _text(one.max),
    }


def _channel(one: ChannelSpec) -> dict[str, Any]:
    return {
        "Name": one.name,
        "Description": one.about,
        "IsRequired": one.required,
        "SupportedContentTypes": [*one.content_types, *one.beyond],
        "SupportedCompressionTypes": ["None", "Gzip"],
        "SupportedInputModes": list(one.modes),
    }


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return str(value)
