"""What a report page shows, as data: the page's renderer decides how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Numbers: TypeAlias = Sequence[float]


@dataclass(frozen=True)
class Lines:
    """Curves over a common kind of x; each series is (x values, y values)."""

    title: str
    x_label: str
    y_label: str
    series: Mapping[str, tuple[Numbers, Numbers]]
    diagonal: bool = False
    log_x: bool = False
    log_y: bool = False
    caption: str = ""


@dataclass(frozen=True)
class Bars:
    """One bar for each label; `horizontal` suits long labels."""

    title: str
    labels: Sequence[str]
    values: Numbers
    x_label: str = ""
    y_label: str = ""
    horizontal: bool = False
    caption: str = ""


@dataclass(frozen=True)
class Heatmap:
    """A matrix of numbers with row and column labels, such as a confusion matrix."""

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Numbers]
    x_label: str = ""
    y_label: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Points:
    """A cloud of points; `group` colors them, `hover` says what a point is."""

    title: str
    x_label: str
    y_label: str
    x: Numbers
    y: Numbers
    group: Sequence[str] = field(default_factory=tuple)
    hover: Sequence[str] = field(default_factory=tuple)
    diagonal: bool = False
    caption: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text under a heading."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


Figure: TypeAlias = Lines | Bars | Heatmap | Points | Table
