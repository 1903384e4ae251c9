"""Pieces of a chart as SVG: words, axes, legends, marks.

Colors are CSS classes of the page that holds them, so that a chart follows its light and dark
scheme; `data-tip` is what the page shows when the pointer rests on a mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from clary.runtime.scales import Scale, tick_labels

WIDTH, HEIGHT = 480, 300
LARGE_WIDTH, LARGE_HEIGHT = 1000, 620
RIGHT, TOP, BOTTOM = 14, 16, 46
COLORS = 10
# Of the text of ticks, which is 12 pixels high
LETTER = 6.9
_MOST_IN_LEGEND = 12


@dataclass(frozen=True)
class Axis:
    """A scale with its ticks in words."""

    scale: Scale
    title: str

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Pixel and text of each tick."""
        values = self.scale.ticks()
        places = [self.scale.at(value) for value in values]
        return list(zip(places, tick_labels(values), strict=True))

    @property
    def room(self) -> float:
        """Pixels that an upright axis needs at its left."""
        return 30 + LETTER * longest([words for _, words in self.ticks])


def svg(parts: Sequence[str], title: str, height: float = HEIGHT, width: float = WIDTH) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def text(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def upward(x: float, y: float, words: str) -> str:
    """Words that run upward, centered on a point."""
    place = f"translate({x:.1f} {y:.1f}) rotate(-90)"
    return f'<text class="axis" transform="{place}">{escape(words)}</text>'


def dashed(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="dashed" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def tip(words: str) -> str:
    return f' data-tip="{escape(words)}"'


def longest(names: Sequence[str]) -> int:
    """Letters of the longest name."""
    return max(map(len, names), default=1)


def cut(name: str, room: float) -> str:
    """As much of a name as the room allows."""
    fits = max(1, int(room / LETTER))
    return name if len(name) <= fits else name[: max(1, fits - 1)] + "…"


def upright(axis: Axis, left: float, width: float = WIDTH) -> str:
    """A vertical axis, with lines across the chart."""
    parts = [upward(13, (axis.scale.start + axis.scale.end) / 2, axis.title)]
    for y, words in axis.ticks:
        parts.append(f'<path class="grid" d="M{left:.1f} {y:.1f}H{width - RIGHT:.0f}"/>')
        parts.append(text("tick end", left - 7, y + 4, words))
    return "".join(parts)


def across(axis: Axis, height: float = HEIGHT) -> str:
    """A horizontal axis at the foot of a chart."""
    middle = (axis.scale.start + axis.scale.end) / 2
    parts = [text("axis", middle, height - 6, axis.title)]
    parts += [text("tick mid", x, height - BOTTOM + 18, words) for x, words in axis.ticks]
    return "".join(parts)


def legend(names: Sequence[tuple[str, str]]) -> str:
    """Color classes and names; nothing where there is one name, or too many to tell apart."""
    if not 2 <= len(names) <= _MOST_IN_LEGEND:
        return ""
    items = "".join(f'<span><i class="{hue}"></i>{escape(name)}</span>' for hue, name in names)
    return f'<div class="legend">{items}</div>'
