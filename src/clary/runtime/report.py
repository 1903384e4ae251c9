"""What there is to tell of a training: the facts behind `report.html`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clary.kit.figures import Figure
from clary.spec.algorithm import Algorithm


@dataclass(frozen=True)
class ChannelFacts:
    """What was read from one channel."""

    rows: int
    width: int
    bytes: int
    files: int
    content_type: str
    input_mode: str
    source: str = ""


@dataclass(frozen=True)
class Report:
    """One training.

    given: hyperparameters as the caller set them; settled: as used, `auto` resolved.
    history: every metric by name, as (epoch or None, value) pairs.
    figures: of the model; curves: of the training, beside those of the metrics.
    seconds: `total`, `read`, `train`, `write`.
    started: with a time zone.
    """

    algorithm: Algorithm
    given: Mapping[str, Any]
    settled: Mapping[str, Any]
    channels: Mapping[str, ChannelFacts]
    history: Mapping[str, Sequence[tuple[int | None, float]]]
    figures: Sequence[Figure]
    summary: Mapping[str, Any]
    seconds: Mapping[str, float]
    started: datetime
    hosts: int = 1
    instance_type: str | None = None
    seed: int = 0
    curves: Sequence[Figure] = ()
