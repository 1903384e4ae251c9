"""Figures as inline SVG: no script and no network needed to look at them.

Colors are CSS variables of the page that holds them, so that a chart follows its light and dark
scheme; `data-tip` is what the page shows when the pointer rests on a mark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import singledispatch
from html import escape

from clary.kit.figures import Bars, Figure, Heatmap, Lines, Points, Table
from clary.runtime.scales import Scale, label, scale

_WIDTH, _HEIGHT = 560, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 14, 48
_COLORS = 8
_MOST_MARKS = 160
_MOST_POINTS = 2000


@singledispatch
def chart(figure: Figure) -> str:
    """The figure as SVG (a table as HTML)."""
    raise TypeError(f"no drawing for {type(figure).__name__}")


@chart.register
def _lines(figure: Lines) -> str:
    xs = [x for points in figure.series.values() for x in points[0]]
    ys = [y for points in figure.series.values() for y in points[1]]
    square = figure.diagonal
    across = scale(
        [*xs, *([0, 1] if square else [])], _LEFT, _WIDTH - _RIGHT, log=figure.log_x, padding=0
    )
    up = scale([*ys, *([0, 1] if square else [])], _HEIGHT - _BOTTOM, _TOP, log=figure.log_y)
    parts = [_frame(across, up, figure.x_label, figure.y_label)]
    if square:
        parts.append(_diagonal(across, up))
    for index, (name, (x, y)) in enumerate(figure.series.items()):
        parts.append(_curve(name, index, _finite(x, y), across, up))
    return _svg(parts, figure.title) + _legend(list(figure.series))


@chart.register
def _points(figure: Points) -> str:
    across = scale(figure.x, _LEFT, _WIDTH - _RIGHT)
    up = scale(figure.y, _HEIGHT - _BOTTOM, _TOP)
    groups = list(dict.fromkeys(figure.group))
    parts = [_frame(across, up, figure.x_label, figure.y_label)]
    if figure.diagonal:
        parts.append(_diagonal(across, up))
    step = max(1, len(figure.x) // _MOST_POINTS)
    for i in range(0, len(figure.x), step):
        hue = groups.index(figure.group[i]) % _COLORS if figure.group else 0
        tip = figure.hover[i] if figure.hover else f"{label(figure.x[i])}, {label(figure.y[i])}"
        place = f'cx="{across.at(figure.x[i]):.1f}" cy="{up.at(figure.y[i]):.1f}"'
        parts.append(f'<circle class="dot c{hue}" {place} r="3"{_tip(tip)}/>')
    return _svg(parts, figure.title) + (_legend(groups) if len(groups) > 1 else "")


@chart.register
def _bars(figure: Bars) -> str:
    return _flat_bars(figure) if figure.horizontal else _upright_bars(figure)


@chart.register
def _heatmap(figure: Heatmap) -> str:
    rows, columns = len(figure.rows), len(figure.columns)
    left = 16 + 7 * min(18, max((len(name) for name in figure.rows), default=1)) + 14
    cell = min(64.0, (_WIDTH - left - _RIGHT) / max(1, columns))
    tall = min(44.0, max(12.0, cell * 0.8))
    top = 38
    every = max(1, math.ceil(columns * 26 / (_WIDTH - left - _RIGHT)))
    height = top + rows * tall + 14
    flat = [abs(value) for row in figure.values for value in row if math.isfinite(value)]
    most = max(flat, default=0) or 1.0
    parts = [
        _text("axis", left + columns * cell / 2, 11, figure.x_label),
        _upward(11, top + rows * tall / 2, figure.y_label),
    ]
    for j, name in enumerate(figure.columns):
        if j % every == 0:
            parts.append(
                _text("tick mid", left + (j + 0.5) * cell, top - 6, _cut(name, cell * every))
            )
    for i, name in enumerate(figure.rows):
        middle = top + (i + 0.5) * tall + 4
        parts.append(_text("tick end", left - 7, middle, name[:18]))
        for j, value in enumerate(figure.values[i]):
            parts.append(
                _cell(figure, i, j, value, most, (left + j * cell, top + i * tall, cell, tall))
            )
    return _svg(parts, figure.title, height=height)


@chart.register
def _table(figure: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in figure.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in figure.rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _upright_bars(figure: Bars) -> str:
    up = scale(figure.values, _HEIGHT - _BOTTOM, _TOP, zero=True)
    count = max(1, len(figure.values))
    slot = (_WIDTH - _LEFT - _RIGHT) / count
    parts = [_grid_up(up), _axis_labels(figure.x_label, figure.y_label)]
    every = max(1, math.ceil(count * 34 / (_WIDTH - _LEFT - _RIGHT)))
    for i, (name, value) in enumerate(zip(figure.labels, figure.values, strict=True)):
        top, zero = sorted((up.at(value), up.at(0)))
        x, wide = _LEFT + (i + 0.12) * slot, slot * 0.76
        parts.append(
            f'<rect class="bar" x="{x:.1f}" y="{top:.1f}" width="{wide:.1f}" '
            f'height="{max(zero - top, 0.5):.1f}" rx="1.5"{_tip(f"{name}: {label(value)}")}/>'
        )
        if i % every == 0:
            parts.append(
                _text("tick mid", x + wide / 2, _HEIGHT - _BOTTOM + 16, _cut(name, slot * every))
            )
    return _svg(parts, figure.title)


def _flat_bars(figure: Bars) -> str:
    left = 20 + 6.6 * min(26, max((len(name) for name in figure.labels), default=1))
    across = scale(figure.values, left, _WIDTH - 62, zero=True, padding=0)
    row = 22
    height = _TOP + row * len(figure.labels) + 30
    parts = [_text("axis", (left + _WIDTH - 62) / 2, height - 8, figure.x_label)]
    for i, (name, value) in enumerate(zip(figure.labels, figure.values, strict=True)):
        start, end = sorted((across.at(0), across.at(value)))
        y = _TOP + i * row
        parts.append(_text("tick end", left - 8, y + 14, name[:26]))
        parts.append(
            f'<rect class="bar" x="{start:.1f}" y="{y + 3}" width="{max(end - start, 0.8):.1f}" '
            f'height="{row - 7}" rx="1.5"{_tip(f"{name}: {label(value)}")}/>'
        )
        parts.append(_text("tick", end + 6, y + 14, label(value)))
    return _svg(parts, figure.title, height=height)


def _curve(
    name: str, index: int, points: list[tuple[float, float]], across: Scale, up: Scale
) -> str:
    if not points:
        return ""
    path = " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in points)
    hue = index % _COLORS
    parts = [f'<polyline class="line s{hue}" points="{path}"/>']
    step = max(1, len(points) // _MOST_MARKS)
    radius = 3 if len(points) <= 40 else 6
    kind = "mark" if len(points) <= 40 else "ghost"
    for x, y in points[::step]:
        tip = _tip(f"{name}: {label(y)} at {label(x)}")
        place = f'cx="{across.at(x):.1f}" cy="{up.at(y):.1f}"'
        parts.append(f'<circle class="{kind} c{hue}" {place} r="{radius}"{tip}/>')
    return "".join(parts)


def _cell(
    figure: Heatmap,
    i: int,
    j: int,
    value: float,
    most: float,
    box: tuple[float, float, float, float],
) -> str:
    x, y, wide, tall = box
    share = abs(value) / most if math.isfinite(value) else 0
    hue = "neg" if value < 0 else "pos"
    tip = _tip(f"{figure.rows[i]} × {figure.columns[j]}: {label(value)}")
    text = ""
    if wide >= 34 and len(figure.rows) <= 15:
        tone = "strong" if share > 0.55 else ""
        text = _text(f"tick mid {tone}", x + wide / 2, y + tall / 2 + 4, label(value))
    return (
        f'<rect class="cell {hue}" x="{x:.1f}" y="{y:.1f}" width="{wide - 1:.1f}" '
        f'height="{tall - 1:.1f}" fill-opacity="{0.06 + 0.9 * share:.3f}"{tip}/>{text}'
    )


def _frame(across: Scale, up: Scale, x_label: str, y_label: str) -> str:
    parts = [_grid_up(up)]
    for tick in across.ticks():
        x = across.at(tick)
        parts.append(_text("tick mid", x, _HEIGHT - _BOTTOM + 16, label(tick)))
    parts.append(_axis_labels(x_label, y_label))
    return "".join(parts)


def _grid_up(up: Scale) -> str:
    parts = []
    for tick in up.ticks():
        y = up.at(tick)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(_text("tick end", _LEFT - 7, y + 4, label(tick)))
    return "".join(parts)


def _axis_labels(x_label: str, y_label: str) -> str:
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    return _text("axis", (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, x_label) + _upward(
        13, middle, y_label
    )


def _text(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _upward(x: float, y: float, words: str) -> str:
    place = f"translate({x:.1f} {y:.1f}) rotate(-90)"
    return f'<text class="axis" transform="{place}">{escape(words)}</text>'


def _diagonal(across: Scale, up: Scale) -> str:
    low = max(across.low, up.low)
    high = min(across.high, up.high)
    ends = (across.at(low), up.at(low), across.at(high), up.at(high))
    return '<line class="diagonal" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'.format(*ends)


def _legend(names: Sequence[str]) -> str:
    if len(names) < 2 and not any(names):
        return ""
    items = "".join(
        f'<span><i class="k{index % _COLORS}"></i>{escape(name)}</span>'
        for index, name in enumerate(names)
    )
    return f'<div class="legend">{items}</div>'


def _svg(parts: Sequence[str], title: str, height: float = _HEIGHT) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )


def _tip(text: str) -> str:
    return f' data-tip="{escape(text)}"'


def _cut(name: str, room: float) -> str:
    fits = max(1, int(room / 6.5))
    return name if len(name) <= fits else name[: max(1, fits - 1)] + "…"


def _finite(x: Sequence[float], y: Sequence[float]) -> list[tuple[float, float]]:
    pairs = zip(x, y, strict=True)
    return [(float(a), float(b)) for a, b in pairs if math.isfinite(a) and math.isfinite(b)]
