"""An algorithm's declaration: everything about it that is not computation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from clary.errors import CallerError, Fault
from clary.spec.channels import ChannelSpec
from clary.spec.hardware import Hardware
from clary.spec.hyperparameters import Hyperparameters
from clary.spec.jumpstart import JumpStartModel
from clary.spec.metrics import Metric
from clary.spec.outputs import Inference


@dataclass(frozen=True)
class TuningRange:
    """A range that automatic tuning searches by default."""

    name: str
    kind: Literal["Integer", "Continuous", "Categorical"]
    min: float | None = None
    max: float | None = None
    values: tuple[str, ...] = ()
    scaling: str | None = "Auto"

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "min": self.min,
            "max": self.max,
            "values": list(self.values) or None,
            "scaling": self.scaling,
        }


@dataclass(frozen=True)
class Example:
    """A small training that shows the algorithm at work; `clary checks` runs each.

    `labels` is what the rows are labelled with: nothing, a class of two or of three, several
    classes at once, or a number.
    """

    hyperparameters: Mapping[str, Any]
    labels: Literal["none", "binary", "multiclass", "multilabel", "number"] = "none"


@dataclass(frozen=True)
class Algorithm:
    """A filled-in declaration. `fit` and `model` say where the verbs are: `module:name`."""

    name: str
    title: str
    summary: str
    learning: Literal["supervised", "unsupervised"]
    problem_types: tuple[str, ...]
    images: tuple[str, ...]
    hyperparameters: type[Hyperparameters]
    channels: tuple[ChannelSpec, ...]
    metrics: tuple[Metric, ...]
    inference: Inference
    fit: str
    model: str
    # Together they report every declared metric
    examples: tuple[Example, ...]
    tuning: tuple[TuningRange, ...] = ()
    hardware: Hardware = field(default_factory=Hardware)
    # A channel named model holding an earlier model.tar.gz to go on from
    incremental: bool = False
    # Whether one server can hold many models of it at once
    multi_model: bool = False
    # What can be asked for beyond hyperparameters, without changing the model (`elbow`)
    options: tuple[str, ...] = ()
    # Model ids under which JumpStart offers it
    jumpstart: tuple[JumpStartModel, ...] = ()
    # What its log counts passes in: the x axis of learning curves
    pass_name: str = "epoch"
    # The extra of Clary's package that installs what it needs beyond the core
    extra: str = ""
    # How far metrics of two hosts may lie from those of one host, relative
    hosts_tolerance: float = 1e-4

    def channel(self, name: str) -> ChannelSpec:
        """The declaration of a channel.

        Raises:
            CallerError: the algorithm has no such channel; the known ones are named.
        """
        for channel in self.channels:
            if channel.name == name:
                return channel
        known = ", ".join(channel.name for channel in self.channels)
        raise CallerError(
            Fault(f"channel {name}", f"{self.name} has no such channel", remedy=f"Known: {known}.")
        )

    def metric(self, name: str) -> Metric:
        """The declared metric; a KeyError is a fault of the algorithm, not of the caller."""
        return {metric.name: metric for metric in self.metrics}[name]

    def describe(self) -> dict[str, Any]:
        """What `clary describe --json` prints."""
        return {
            "name": self.name,
            "title": self.title,
            "summary": self.summary,
            "learning": self.learning,
            "problem_types": list(self.problem_types),
            "images": list(self.images),
            "hyperparameters": [one.describe() for one in self.hyperparameters.declared().values()],
            "channels": [channel.describe() for channel in self.channels],
            "metrics": [metric.describe() for metric in self.metrics],
            "tuning": [one.describe() for one in self.tuning],
            "inference": self.inference.describe(),
            "instances": self.hardware.describe(),
            "incremental": self.incremental,
            "multi_model": self.multi_model,
        }
