"""Axes of a chart: from numbers to places on the page, and the ticks between."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic axis from `low` to `high`, drawn from pixel `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value, kept inside the axis."""
        share = self._share(value)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """Round values that lie on the axis."""
        if self.log:
            return _log_ticks(self.low, self.high)
        step = _round_step((self.high - self.low) / count)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(index * step, 12) for index in range(first, last + 1)]

    def _share(self, value: float) -> float:
        if self.log:
            value = max(value, self.low)
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def scale(
    values: Iterable[float],
    start: float,
    end: float,
    *,
    log: bool = False,
    zero: bool = False,
    padding: float = 0.04,
) -> Scale:
    """An axis that holds all finite values; `zero` makes it reach to 0."""
    finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if log:
        return _log_scale(low, high, start, end)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-12 * max(abs(high), abs(low), 1e-9):
        margin = abs(high) * 0.5 or 1.0
        low, high = low - (0 if zero and low == 0 else margin), high + margin
    room = (high - low) * padding
    low = low if zero and low == 0 else low - room
    high = high if zero and high == 0 else high + room
    return Scale(low, high, start, end)


def label(value: float) -> str:
    """A number as a reader wants it: 1,200 or 0.034 or 3.2e-7."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e15 or size < 1e-4:
        return f"{value:.1e}"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _log_scale(low: float, high: float, start: float, end: float) -> Scale:
    low, high = (low if low > 0 else 1e-6), (high if high > 0 else 1.0)
    if high <= low * 1.0001:
        low, high = low / 2, high * 2
    return Scale(low, high, start, end, log=True)


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = [10.0**power for power in range(first, last + 1)]
    factors = (1, 2, 5) if last - first <= 3 else (1,)
    return [d * f for d in decades for f in factors if low <= d * f <= high]


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 2.5, 5, 10):
        if rough <= factor * power * 1.0001:
            return factor * power
    return 10 * power
