"""What a benchmark is: the same job done by Clary and by a peer on the same files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

# A side works in the folder that `prepare` filled and tells what it found:
# `quality` (a number), and, where it can tell, `kernel_seconds`.
Side = Callable[[Path], dict[str, float]]


@dataclass(frozen=True)
class Case:
    """One row of the table.

    prepare: writes the data files once, before anything is timed.
    ours, peer: module-level functions, each run in a process of its own that stays warm; the time
        of a call is from files to result.
    amount: what a call works through, in `unit`, so that a speed can be shown.
    roof_seconds: the least time that the machine's bandwidth or arithmetic allows, if it is known,
        from the calibration's figures.
    """

    name: str
    prepare: Callable[[Path], None]
    ours: Side
    peer: Side
    peer_name: str
    quality_name: str = ""
    amount: float = 0.0
    unit: str = ""
    floor: float | None = None
    goal: float | None = None
    roof_seconds: Callable[[dict[str, float]], float] | None = None


@dataclass(frozen=True)
class Suite:
    """The cases of one algorithm or layer; `about` says the setting of the peer."""

    title: str
    about: str
    cases: tuple[Case, ...] = field(default_factory=tuple)
