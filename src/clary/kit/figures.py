"""What a report page shows, as data: the page's renderer decides how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Numbers: TypeAlias = Sequence[float]


@dataclass(frozen=True)
class Lines:
    """Curves over a common kind of x; each series is (x values, y values).

    emphasis: the series that matters; the others stay in the background.
    unit: both axes go from 0 to 1. diagonal: a dashed line where y is x. level: a dashed line at y.
    """

    title: str
    x_label: str
    y_label: str
    series: Mapping[str, tuple[Numbers, Numbers]]
    emphasis: str = ""
    unit: bool = False
    diagonal: bool = False
    level: float | None = None
    log_y: bool = False
    caption: str = ""


@dataclass(frozen=True)
class Bars:
    """One bar for each label; `horizontal` suits long labels.

    edges: for a histogram, the bounds of the bars, one more than there are bars; labels go unread.
    """

    title: str
    labels: Sequence[str]
    values: Numbers
    x_label: str = ""
    y_label: str = ""
    horizontal: bool = False
    edges: Numbers = ()
    caption: str = ""


@dataclass(frozen=True)
class Heatmap:
    """A matrix of numbers with row and column labels, such as a confusion matrix.

    by_row: a cell's color is its share of the row.
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Numbers]
    x_label: str = ""
    y_label: str = ""
    by_row: bool = False
    caption: str = ""


@dataclass(frozen=True)
class Pin:
    """A place of a cloud that is pointed out, such as a center; it has the color of its group."""

    x: float
    y: float
    name: str
    group: str = ""


@dataclass(frozen=True)
class Points:
    """A cloud of points; `group` colors them, `hover` says what a point is.

    grouped_by: what the groups are. pins: drawn over the points. diagonal: a dashed line where y is
    x. level: a dashed line at y. most: so many points are drawn, evenly among them. large: over the
    whole width of the page.
    """

    title: str
    x_label: str
    y_label: str
    x: Numbers
    y: Numbers
    group: Sequence[str] = field(default_factory=tuple)
    hover: Sequence[str] = field(default_factory=tuple)
    diagonal: bool = False
    level: float | None = None
    grouped_by: str = ""
    pins: Sequence[Pin] = field(default_factory=tuple)
    most: int = 1000
    large: bool = False
    caption: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text under a heading."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


Figure: TypeAlias = Lines | Bars | Heatmap | Points | Table
