"""What the report page shows of a map."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from clary.codecs.batch import Features, Floats
from clary.kit.figures import Points

# So that the page stays small and quick
MOST_POINTS = 8_000
_MOST_COLORS = 10
_RANGES = 5
_MOST_VALUES = 6


def maps(places: Floats, label: Floats | None, words: Sequence[str]) -> list[Points]:
    """The map, or two views of one in three dimensions.

    words: what to say of each of the `shown_rows`.
    """
    shown = shown_rows(len(places))
    groups = () if label is None else _groups(label)
    views = [(0, 1)] if places.shape[1] == 2 else [(0, 1), (0, 2)]
    return [
        Points(
            "Map" if len(views) == 1 else f"Map, dimensions {x + 1} and {y + 1}",
            f"dimension {x + 1}",
            f"dimension {y + 1}",
            _rounded(places[shown, x]),
            _rounded(places[shown, y]),
            group=[groups[i] for i in shown] if groups else (),
            hover=words,
            caption=_caption(len(shown), len(places), label),
            grouped_by="label",
            most=MOST_POINTS,
            large=True,
        )
        for x, y in views
    ]


def shown_rows(count: int) -> list[int]:
    """Which of so many rows are in the picture: all, or some evenly among them."""
    kept: list[int] = np.linspace(0, count - 1, min(count, MOST_POINTS)).astype(int).tolist()
    return kept


def words_for(numbers: Sequence[int], features: Features) -> list[str]:
    """What each row is, in the words that a pointer shows: its number and first values."""
    width = features.shape[1]
    first = features[:, :_MOST_VALUES]
    dense = first if isinstance(first, np.ndarray) else first.toarray()
    more = f", … ({width:,} features)" if width > _MOST_VALUES else ""
    return [
        f"row {number} ({', '.join(f'{value:.4g}' for value in row)}{more})"
        for number, row in zip(numbers, dense.tolist(), strict=True)
    ]


def _groups(label: Floats) -> list[str]:
    """Each row's label in words; of many different numbers, in which of a few ranges it is."""
    values = np.unique(label)
    if len(values) <= _MOST_COLORS:
        return [f"{one:g}" for one in label.tolist()]
    edges = np.unique(np.quantile(label, np.linspace(0, 1, _RANGES + 1)))
    names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges.tolist())]
    return [names[i] for i in np.searchsorted(edges[1:-1], label, side="right")]


def _caption(shown: int, count: int, label: Floats | None) -> str:
    some = f"{shown:,} of the map's {count:,} rows, evenly among them." if shown < count else ""
    colored = "" if label is None else "The color is the label."
    return " ".join(
        part for part in (some, colored, "Only who is near whom has a meaning.") if part
    )


def _rounded(values: Floats) -> list[float]:
    return [round(float(one), 3) for one in values]
