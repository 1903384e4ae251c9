"""The extra centers, moved by one mini-batch after the other."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from clary.algorithms.kmeans.assignment import Doubles, Tally
from clary.codecs.batch import Floats
from clary.errors import CallerError
from clary.kit.cluster import Cluster

_STATE = "centers.npz"
_ARRAYS = ("origin", "start", "known", "past")


@dataclass
class ExtraCenters:
    """K centers; each is the mean of the rows that came to it.

    A mini-batch moves a center to (1 - p)·center + p·mean of its new rows, where p = new rows /
    (old + new rows); with a half-life the old rows have faded by then. Rows of earlier epochs and
    of an earlier model are old rows. What is merged at the end leaves out the earlier epochs, whose
    rows came again in the last one and found better centers.

    origin: (width,), which all is relative to. start: (K, width), where centers without rows are.
    known, past, present: rows of an earlier model, of the earlier epochs and of this one: the
        weighted sum of each center's rows, (K, width), beside their weight, (K, 1).
    time: rows seen.
    """

    origin: Floats
    start: Doubles
    known: Doubles
    past: Doubles
    present: Doubles
    half_life: int
    time: int = 0

    @classmethod
    def at(cls, start: Doubles, weights: Doubles, origin: Floats, half_life: int) -> Self:
        """New centers; `weights`, (K,), is what an earlier model knows of each."""
        known = np.column_stack([start, np.ones(len(start))]) * weights[:, None]
        return cls(origin, start, known, np.zeros_like(known), np.zeros_like(known), half_life)

    @property
    def positions(self) -> Doubles:
        """(K, width), relative to the origin."""
        return _means(self.known + self.past + self.present, self.start)

    def move(self, tally: Tally, rows: int) -> None:
        """Take in a mini-batch of `rows` rows."""
        if self.half_life:
            fade = 0.5 ** (rows / self.half_life)
            for mass in (self.known, self.past, self.present):
                mass *= fade
        self.present[:, :-1] += tally.sums
        self.present[:, -1] += tally.counts
        self.time += rows

    def next_epoch(self) -> None:
        """From now on, the rows seen so far belong to an earlier epoch."""
        self.start = self.positions
        self.past += self.present
        self.present[:] = 0

    def summary(self, interrupted: bool) -> tuple[Doubles, Doubles]:
        """What is merged: the mean of each center's rows, (K, width), and their weight, (K,).

        An interrupted epoch saw some rows only: then the earlier ones count, too.
        """
        mass = self.known + self.present + (self.past if interrupted else 0)
        return _means(mass, self.start), mass[:, -1]

    def save(self, folder: Path) -> None:
        """Write the state between two epochs into a folder."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        np.savez(folder / _STATE, **arrays, time=np.array([self.time]))

    @classmethod
    def resumed(cls, folder: Path | None, width: int, half_life: int, cluster: Cluster) -> Self:
        """On every host, the state that the leader has in a folder; the others give None.

        Raises:
            CallerError: it is damaged, or of rows of another width.
        """
        own = _read(folder, width) if folder else {}
        origin, start, known, past, time = (
            cluster.broadcast(own.get(name)) for name in (*_ARRAYS, "time")
        )
        return cls(origin, start, known, past, np.zeros_like(past), half_life, int(time[0]))


def _read(folder: Path, width: int) -> dict[str, npt.NDArray[Any]]:
    path = folder / _STATE
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = dict(found)
        shapes = [arrays[name].shape[-1] - width for name in (*_ARRAYS, "time")]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CallerError.of(f"checkpoint {path}", "is damaged or foreign", str(error)) from error
    if shapes[:4] != [0, 0, 1, 1]:
        found_width = len(arrays["origin"])
        raise CallerError.of(
            f"checkpoint {path}",
            f"must be of rows with {width} features, as train has",
            found_width,
            "Empty the folder of checkpoints to begin anew.",
        )
    return arrays


def _means(mass: Doubles, otherwise: Doubles) -> Doubles:
    counts = mass[:, -1:]
    means: Doubles = np.divide(mass[:, :-1], counts, out=otherwise.copy(), where=counts > 0)
    return means
