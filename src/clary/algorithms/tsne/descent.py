"""The descent of the map's points, by openTSNE.

P. Poličar, M. Stražar and B. Zupan, "openTSNE: a modular Python library for t-SNE dimensionality
reduction and embedding" (2024). Its sums do not depend on how many threads there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from openTSNE.affinity import PrecomputedAffinities
from openTSNE.tsne import TSNEEmbedding, gradient_descent
from scipy.sparse import csr_array, csr_matrix

from clary import settings
from clary.algorithms.tsne.tree import Doubles
from clary.errors import CallerError

# Iterations between two looks at the clock, the log and whether to stop
PIECE = 50
_MOMENTUM = 0.8
# From so many points on a grid is faster than a tree, which is the only way in three dimensions
_GRID_POINTS = 10_000
_FILE = "descent.npz"


@dataclass
class State:
    """places, steps, gains: (rows, dimensions)."""

    places: Doubles
    steps: Doubles
    gains: Doubles

    @classmethod
    def beginning(cls, places: Doubles) -> State:
        return cls(places, np.zeros_like(places), np.ones_like(places))

    def save(self, folder: Path) -> None:
        arrays = {"places": self.places, "steps": self.steps, "gains": self.gains}
        np.savez(folder / _FILE, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path, shape: tuple[int, ...]) -> State:
        """
        Raises:
            CallerError: it is damaged, or of a map of another shape.
        """
        try:
            with np.load(folder / _FILE, allow_pickle=False) as arrays:
                parts = [arrays[name] for name in ("places", "steps", "gains")]
        except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
            raise CallerError.of(f"checkpoint {folder}", "is damaged or foreign") from error
        for part in parts:
            if part.shape != shape or part.dtype != np.float64:
                rule = f"must be of a map of {shape[0]} rows in {shape[1]} dimensions"
                raise CallerError.of(f"checkpoint {folder}", rule, part.shape)
        return cls(*parts)


@dataclass(frozen=True)
class Plan:
    """Iterations in all and in the early phase; `step` None is rows / exaggeration."""

    early: int
    iterations: int
    exaggeration: float
    step: float | None

    def pieces(self) -> list[tuple[int, int]]:
        """First and last iteration of each piece; none lies in both phases."""
        bounds = {0, self.early, self.iterations}
        bounds |= set(range(0, self.early, PIECE)) | set(range(self.early, self.iterations, PIECE))
        ends = sorted(bounds)
        return list(pairwise(ends))

    def step_size(self, rows: int, *, early: bool) -> float:
        return self.step or max(1.0, rows / (self.exaggeration if early else 1.0))


def descend(
    affinities: csr_array,
    state: State,
    done: int,
    plan: Plan,
    told: Callable[[int, float, State], bool],
) -> State:
    """Move the points from iteration `done` on.

    told: hears after each piece the iterations done, the Kullback-Leibler divergence and the state;
    the descent ends early if it answers True.
    """
    for start, end in plan.pieces():
        if start < done:
            continue
        early = start < plan.early
        state, divergence = _moved(affinities, state, end - start, plan, early)
        if told(end, divergence, state):
            break
    return state


def _moved(
    affinities: csr_array, state: State, iterations: int, plan: Plan, early: bool
) -> tuple[State, float]:
    """The state after some iterations of one phase, and its divergence."""
    # Exaggerated here: openTSNE multiplies and divides in place, which leaves other bits
    factor = plan.exaggeration if early else 1.0
    rows, dimensions = state.places.shape
    on_grid = dimensions == 2 and rows >= _GRID_POINTS
    optimizer = gradient_descent()
    optimizer.update, optimizer.gains = state.steps, state.gains
    embedding = TSNEEmbedding(
        state.places,
        PrecomputedAffinities(csr_matrix(affinities * factor), normalize=False),
        optimizer=optimizer,
        negative_gradient_method="fft" if on_grid else "bh",
        n_jobs=settings.threads(),
    )
    embedding.optimize(
        iterations,
        inplace=True,
        learning_rate=plan.step_size(rows, early=early),
        momentum=_MOMENTUM,
    )
    places = np.array(embedding, dtype=np.float64)
    divergence = float(embedding.kl_divergence) / factor - math.log(factor)
    return State(places, optimizer.update, optimizer.gains), divergence
