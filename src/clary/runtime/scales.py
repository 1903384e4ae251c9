"""Axes of a chart: from numbers to places on the page, and the ticks between."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic axis from `low` to `high`, drawn from pixel `start` to `end`.

    whole: only whole numbers are marked.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value, kept inside the axis."""
        share = self._share(value)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values that lie on the axis."""
        if self.log:
            return _log_ticks(self.low, self.high)
        step = _round_step(self.high - self.low, self.whole)
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
    margin: float | None = None,
) -> Scale:
    """An axis that holds all finite values, from a round number to a round number.

    zero: it reaches to 0. margin: not to round numbers, but this share of the span beyond.
    """
    finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if log:
        return _log_scale(low, high, start, end)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-12 * max(abs(high), abs(low), 1e-9):
        margin = abs(high) * 0.5 or 1.0
        low, high = low - (0 if zero and low == 0 else margin), high + margin
    whole = all(float(value).is_integer() for value in finite)
    if margin is None:
        step = _round_step(high - low, whole)
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    else:
        room = margin * (high - low)
        low, high = low - room, high + room
    return Scale(low, high, start, end, whole=whole)


def label(value: float) -> str:
    """A number as a reader wants it: 1,200 or 0.034 or 3.2e-07."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e9 or size < 1e-4:
        return f"{value:.2e}"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def duration(seconds: float) -> str:
    """Time as a reader wants it: 0.35 s, 12.4 s, 4 min 6 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left} min"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """The ticks of one axis in one unit: 500k, 1,000k; 2M, 4M; 0.85, 0.9."""
    most = max((abs(tick) for tick in ticks), default=0.0)
    if most >= 1e9 or 0 < most < 1e-3:
        return [f"{tick:.3g}" for tick in ticks]
    unit, name = (1e6, "M") if most >= 2e6 else (1e3, "k") if most >= 1e4 else (1.0, "")
    return [f"{tick / unit:,.6g}{name}" if tick else "0" for tick in ticks]


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


def _round_step(span: float, whole: bool) -> float:
    """A round number that is about a fifth of the span."""
    rough = max(span / 5, 1.0) if whole else span / 5
    power = 10.0 ** math.floor(math.log10(rough) + 1e-9)
    factors = (1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)
    return next(factor * power for factor in factors if rough <= factor * power * 1.0001)
