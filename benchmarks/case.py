"""What a benchmark is: the same job done by Clary and by a peer on the same files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# A side works in the folder that `prepare` filled and tells what it found:
# `quality` (a number), and, where it can tell, `kernel_seconds`. It may tell `seconds` itself where
# not all of its time counts.
Side = Callable[[Path], dict[str, float]]
Measure = Literal["ratio", "speed", "seconds", "mebibytes"]


@dataclass(frozen=True)
class Case:
    """One row of the table.

    prepare: writes the data files once, before anything is timed.
    ours, peer: module-level functions, each run in a process of its own that stays warm; the time
        of a call is from files to result. Where there is no peer to run, `peer_name` says what is
        known of it.
    amount: what a call works through, in `unit`, so that a speed can be shown.
    floor, goal: what must hold and what is sought, of `measure`: times the peer's speed, or
        `amount` a second, or seconds or MiB of peak memory (there less is better).
    roof_seconds: the least time that the machine's bandwidth or arithmetic allows, if it is known,
        from the calibration's figures.
    once: whether one cold run is all: for long ones, of which the time matters little.
    """

    name: str
    prepare: Callable[[Path], None]
    ours: Side
    peer: Side | None
    peer_name: str
    quality_name: str = ""
    amount: float = 0.0
    unit: str = ""
    floor: float | None = None
    goal: float | None = None
    roof_seconds: Callable[[dict[str, float]], float] | None = None
    measure: Measure = "ratio"
    once: bool = False


@dataclass(frozen=True)
class Suite:
    """The cases of one algorithm or layer; `about` says the setting of the peer."""

    title: str
    about: str
    cases: tuple[Case, ...] = field(default_factory=tuple)
