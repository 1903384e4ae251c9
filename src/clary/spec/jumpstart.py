"""The grammar of JumpStart's model ids: other names for algorithms, with defaults of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class JumpStartModel:
    """One model id.

    hyperparameters: what the id sets where nothing else is given, under the names that clients of
    this id use. renamed: of those names, the ones that the declaration calls otherwise.
    """

    id: str
    title: str
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    accept: str = "application/json"
