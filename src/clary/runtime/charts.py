"""Figures as inline SVG: no script and no network needed to look at them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import singledispatch
from html import escape

from clary.kit.figures import Bars, Figure, Heatmap, Lines, Points, Table
from clary.runtime.drawing import (
    BOTTOM,
    COLORS,
    HEIGHT,
    LARGE_HEIGHT,
    LARGE_WIDTH,
    LETTER,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    across,
    cut,
    dashed,
    legend,
    longest,
    svg,
    text,
    tip,
    upright,
    upward,
)
from clary.runtime.scales import Scale, label, scale

_FOOT = HEIGHT - BOTTOM
_MOST_MARKS = 25
_MOST_TIPS = 160
_AROUND = 0.04
# A point's radius where it is one of so many
_RADII = ((1000, 3), (3000, 2.2), (math.inf, 1.6))
_LONGEST_NAME, _LONGEST_ROW = 26, 18
# Above this many cells, empty ones are not drawn
_MANY_CELLS = 400


@singledispatch
def chart(figure: Figure) -> str:
    """The figure as SVG (a table as HTML)."""
    raise TypeError(f"no drawing for {type(figure).__name__}")


@chart.register
def _lines(figure: Lines) -> str:
    xs = [x for points in figure.series.values() for x in points[0]]
    ys = [y for points in figure.series.values() for y in points[1]]
    levels = [] if figure.level is None else [figure.level]
    limits = [0.0, 1.0] if figure.unit else []
    up = Axis(scale([*ys, *levels, *limits], _FOOT, TOP, log=figure.log_y), figure.y_label)
    flat = Axis(scale([*xs, *limits], up.room, WIDTH - RIGHT, margin=0), figure.x_label)
    parts = [upright(up, up.room), across(flat), *_guides(figure, flat.scale, up.scale)]
    named = list(enumerate(figure.series))
    tips = max(_MOST_MARKS, _MOST_TIPS // max(1, len(named)))
    # What matters is drawn last, over the others
    for index, name in sorted(named, key=lambda one: one[1] == figure.emphasis):
        points = _finite(*figure.series[name])
        hue = _hue(figure, name, index)
        parts.append(_curve(name, hue, points, tips, flat.scale, up.scale))
    return svg(parts, figure.title) + legend(_series_names(figure))


@chart.register
def _points(figure: Points) -> str:
    width, height = (LARGE_WIDTH, LARGE_HEIGHT) if figure.large else (WIDTH, HEIGHT)
    levels = [] if figure.level is None else [figure.level]
    xs = [*figure.x, *(pin.x for pin in figure.pins)]
    ys = [*figure.y, *(pin.y for pin in figure.pins), *levels]
    up = Axis(scale(ys, height - BOTTOM, TOP, margin=_AROUND), figure.y_label)
    flat = Axis(scale(xs, up.room, width - RIGHT, margin=_AROUND), figure.x_label)
    groups = sorted(set(figure.group), key=_in_order)
    hues = {name: index % COLORS for index, name in enumerate(groups)}
    marks = [*_dots(figure, hues, flat.scale, up.scale), *_pins(figure, hues, flat.scale, up.scale)]
    guides = _guides(figure, flat.scale, up.scale)
    parts = [upright(up, up.room, width), across(flat, height), *guides, *marks]
    names = legend([(f"k{hue}", name) for name, hue in hues.items()])
    return svg(parts, figure.title, height, width) + names


@chart.register
def _bars(figure: Bars) -> str:
    if figure.horizontal:
        return _lying_bars(figure)
    return _histogram(figure) if figure.edges else _standing_bars(figure)


@chart.register
def _heatmap(figure: Heatmap) -> str:
    rows, columns = len(figure.rows), max(1, len(figure.columns))
    left = 30 + LETTER * min(_LONGEST_ROW, longest(figure.rows))
    wide = min(120.0, (WIDTH - left - RIGHT) / columns)
    tall = min(80.0, max(11.0, wide * 0.7))
    left += (WIDTH - left - RIGHT - columns * wide) / 2
    top, every = 40, max(1, math.ceil(28 / wide))
    parts = [
        text("axis", left + columns * wide / 2, 12, figure.x_label),
        upward(
            left - 18 - LETTER * min(_LONGEST_ROW, longest(figure.rows)),
            top + rows * tall / 2,
            figure.y_label,
        ),
    ]
    for j in range(0, len(figure.columns), every):
        name = cut(figure.columns[j], wide * every)
        parts.append(text("tick mid", left + (j + 0.5) * wide, top - 7, name))
    for i, name in enumerate(figure.rows):
        parts.append(
            text("tick end", left - 7, top + (i + 0.5) * tall + 4, cut(name, _LONGEST_ROW * LETTER))
        )
        whole = _whole(figure, i)
        for j, value in enumerate(figure.values[i]):
            box = (left + j * wide, top + i * tall, wide, tall)
            parts.append(_cell(figure, (i, j), value, value / whole, box))
    return svg(parts, figure.title, height=top + rows * tall + 10)


@chart.register
def _table(figure: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in figure.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in figure.rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _standing_bars(figure: Bars) -> str:
    up = Axis(scale(figure.values, _FOOT, TOP, zero=True), figure.y_label)
    count = max(1, len(figure.values))
    slot = (WIDTH - up.room - RIGHT) / count
    parts = [upright(up, up.room)]
    parts.append(text("axis", (up.room + WIDTH - RIGHT) / 2, HEIGHT - 6, figure.x_label))
    every = max(1, math.ceil((LETTER * min(longest(figure.labels), 6) + 8) / slot))
    for i, (name, value) in enumerate(zip(figure.labels, figure.values, strict=True)):
        x, wide = up.room + (i + 0.12) * slot, slot * 0.76
        parts.append(_bar(x, wide, value, up.scale, f"{name}: {label(value)}"))
        if i % every == 0:
            words = cut(name, max(slot * every, 3 * LETTER))
            parts.append(text("tick mid", x + wide / 2, _FOOT + 18, words))
    return svg(parts, figure.title)


def _histogram(figure: Bars) -> str:
    up = Axis(scale(figure.values, _FOOT, TOP, zero=True), figure.y_label)
    flat = Axis(scale(figure.edges, up.room, WIDTH - RIGHT, margin=0), figure.x_label)
    parts = [upright(up, up.room), across(flat)]
    bounds = zip(figure.edges, figure.edges[1:], figure.values, strict=False)
    for low, high, value in bounds:
        start, end = flat.scale.at(low), flat.scale.at(high)
        words = f"{label(low)} to {label(high)}: {label(value)}"
        parts.append(_bar(start + 0.5, max(end - start - 1, 0.5), value, up.scale, words))
    return svg(parts, figure.title)


def _bar(x: float, wide: float, value: float, up: Scale, words: str) -> str:
    top, zero = sorted((up.at(value), up.at(0)))
    return (
        f'<rect class="bar" x="{x:.1f}" y="{top:.1f}" width="{wide:.1f}" '
        f'height="{max(zero - top, 0.5):.1f}" rx="1.5"{tip(words)}/>'
    )


def _lying_bars(figure: Bars) -> str:
    left, right, row = 16 + LETTER * min(_LONGEST_NAME, longest(figure.labels)), WIDTH - 80, 22
    flat = scale(figure.values, left, right, zero=True, margin=0)
    height = TOP + row * len(figure.labels) + 30
    parts = [text("axis", (left + right) / 2, height - 6, figure.x_label)]
    for i, (name, value) in enumerate(zip(figure.labels, figure.values, strict=True)):
        start, end = sorted((flat.at(0), flat.at(value)))
        y, kind = TOP + i * row, "bar neg" if value < 0 else "bar"
        parts.append(text("tick end", left - 8, y + 15, cut(name, _LONGEST_NAME * LETTER)))
        parts.append(
            f'<rect class="{kind}" x="{start:.1f}" y="{y + 3}" width="{max(end - start, 0.8):.1f}" '
            f'height="{row - 6}" rx="1.5"{tip(f"{name}: {label(value)}")}/>'
        )
        parts.append(text("tick", end + 6, y + 15, label(value)))
    return svg(parts, figure.title, height=height)


def _guides(figure: Lines | Points, flat: Scale, up: Scale) -> list[str]:
    parts = []
    if figure.diagonal:
        low, high = max(flat.low, up.low), min(flat.high, up.high)
        parts.append(dashed(flat.at(low), up.at(low), flat.at(high), up.at(high)))
    if figure.level is not None:
        y = up.at(figure.level)
        parts.append(dashed(flat.start, y, flat.end, y))
    return parts


def _hue(figure: Lines, name: str, index: int) -> str:
    if not figure.emphasis:
        return str(index % COLORS)
    return "0" if name == figure.emphasis else "quiet"


def _series_names(figure: Lines) -> list[tuple[str, str]]:
    if figure.emphasis and len(figure.series) > 1:
        return [("k0", figure.emphasis), ("kquiet", "others")]
    return [(f"k{index % COLORS}", name) for index, name in enumerate(figure.series)]


def _curve(
    name: str, hue: str, points: list[tuple[float, float]], tips: int, flat: Scale, up: Scale
) -> str:
    if not points:
        return ""
    path = " ".join(f"{flat.at(x):.1f},{up.at(y):.1f}" for x, y in points)
    parts = [f'<polyline class="line s{hue}" points="{path}"/>']
    few = len(points) <= _MOST_MARKS
    kind, radius = ("mark", 3) if few else ("ghost", 6)
    for x, y in points[:: math.ceil(len(points) / tips)]:
        words = tip(f"{name}: {label(y)} at {label(x)}")
        place = f'cx="{flat.at(x):.1f}" cy="{up.at(y):.1f}"'
        parts.append(f'<circle class="{kind} c{hue}" {place} r="{radius}"{words}/>')
    return "".join(parts)


def _whole(figure: Heatmap, row: int) -> float:
    """What the values of a row are shares of: their sum, or the greatest of the matrix."""
    rows = [figure.values[row]] if figure.by_row else figure.values
    sizes = [abs(value) for values in rows for value in values if math.isfinite(value)]
    return (sum(sizes) if figure.by_row else max(sizes, default=0.0)) or 1.0


def _cell(
    figure: Heatmap,
    place: tuple[int, int],
    value: float,
    share: float,
    box: tuple[float, float, float, float],
) -> str:
    if figure.by_row and not value and len(figure.rows) * len(figure.columns) > _MANY_CELLS:
        return ""
    x, y, wide, tall = box
    strength = abs(share) if math.isfinite(share) else 0.0
    words = f"{figure.rows[place[0]]} × {figure.columns[place[1]]}: {label(value)}"
    part = f"{share:.1%}" if figure.by_row else ""
    middle, tone = x + wide / 2, "strong" if strength > 0.55 else ""
    written = ""
    if wide >= 30 and len(label(value)) * LETTER < wide:
        high = tall >= 40 and part
        written = text(f"tick mid {tone}", middle, y + tall / 2 + (-2 if high else 4), label(value))
        written += text(f"small mid {tone}", middle, y + tall / 2 + 14, part) if high else ""
    return (
        f'<rect class="cell {"neg" if value < 0 else "pos"}" x="{x:.1f}" y="{y:.1f}" '
        f'width="{wide - 1:.1f}" height="{tall - 1:.1f}" '
        f'fill-opacity="{0.06 + 0.9 * strength:.3f}"'
        f"{tip(f'{words} ({part} of the row)' if part else words)}/>{written}"
    )


def _dots(figure: Points, hues: Mapping[str, int], flat: Scale, up: Scale) -> Iterator[str]:
    step = max(1, math.ceil(len(figure.x) / figure.most))
    radius = _radius(len(figure.x) / step) + 0.8 * figure.large
    for i in range(0, len(figure.x), step):
        x, y = figure.x[i], figure.y[i]
        if not (math.isfinite(x) and math.isfinite(y)):
            continue
        words = [figure.hover[i]] if figure.hover else []
        words += [f"{figure.grouped_by} {figure.group[i]}".strip()] if figure.group else []
        said = tip(" · ".join([*words, f"{label(x)}, {label(y)}"]))
        hue = hues[figure.group[i]] if figure.group else 0
        place = f'cx="{flat.at(x):.1f}" cy="{up.at(y):.1f}"'
        yield f'<circle class="dot c{hue}" {place} r="{radius:g}"{said}/>'


def _pins(figure: Points, hues: Mapping[str, int], flat: Scale, up: Scale) -> Iterator[str]:
    for pin in figure.pins:
        place = f'cx="{flat.at(pin.x):.1f}" cy="{up.at(pin.y):.1f}"'
        said = tip(f"{pin.name} · {label(pin.x)}, {label(pin.y)}")
        hue = hues.get(pin.group, "quiet")
        yield f'<circle class="pin c{hue}" {place} r="5.5"{said}/>'


def _radius(points: float) -> float:
    return next(radius for most, radius in _RADII if points <= most)


def _in_order(name: str) -> tuple[float, str]:
    """By the number at the beginning, before words."""
    try:
        return float(name.split(" ", 1)[0]), name
    except ValueError:
        return math.inf, name


def _finite(x: Sequence[float], y: Sequence[float]) -> list[tuple[float, float]]:
    pairs = zip(x, y, strict=True)
    return [(float(a), float(b)) for a, b in pairs if math.isfinite(a) and math.isfinite(b)]
