"""Rows in succession as points of a series: each with those before it, the oldest first."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clary.algorithms.randomcutforest.trees import Floats


@dataclass
class Shingles:
    """Joins each row to the `size - 1` before it, over any number of calls.

    held: the last rows, (at most size - 1, width).
    """

    size: int
    width: int
    held: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def __post_init__(self) -> None:
        self.held = self.held.reshape(len(self.held), self.width)

    def add(self, rows: Floats) -> tuple[Floats, int]:
        """Points, (points, size * width), and how many of the rows were too early to end one."""
        if self.size == 1:
            return rows, 0
        series = np.concatenate([self.held, rows]) if len(self.held) else rows
        early = min(len(rows), max(0, self.size - 1 - len(self.held)))
        self.held = series[max(0, len(series) - self.size + 1) :].copy()
        if len(series) < self.size:
            return np.zeros((0, self.size * self.width), np.float32), early
        windows = np.lib.stride_tricks.sliding_window_view(series, self.size, axis=0)
        points = np.array(windows.transpose(0, 2, 1), order="C")
        return points.reshape(-1, self.size * self.width), early

    def copy(self) -> Shingles:
        """Another one that goes on from the same rows."""
        return Shingles(self.size, self.width, self.held.copy())
