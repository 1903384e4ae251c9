"""How far neighbors on the map are neighbors among the rows.

J. Venna and S. Kaski, "Neighborhood preservation in nonlinear projection methods" (2001).
"""

from __future__ import annotations

import numpy as np

from clary.algorithms.tsne.neighbors import Integers, References
from clary.codecs.batch import Floats

# As scikit-learn has it
_NEIGHBORS = 5
_MOST_ROWS = 2_000


class Trust:
    """Rows of a map, (rows, width), and their places on it, (rows, dimensions)."""

    def __init__(self, rows: Floats, places: Floats) -> None:
        self._rows, self._places = rows, places
        self._among, self._map = References(rows), References(places)

    def of_map(self) -> float:
        """Of the map's own rows; of many, of some evenly among them."""
        count = len(self._rows)
        some = np.linspace(0, count - 1, min(count, _MOST_ROWS)).astype(np.int64)
        scores = self._scores(self._rows[some], self._places[some], some, count)
        return float(scores.mean())

    def of_placed(self, rows: Floats, places: Floats) -> Floats:
        """(rows,), of each of some rows that were placed into the map."""
        nobody = np.full(len(rows), -1, np.int64)
        return self._scores(rows, places, nobody, len(self._rows) + 1)

    def _scores(self, rows: Floats, places: Floats, own: Integers, count: int) -> Floats:
        """count: of the rows that are compared, the one itself among them."""
        neighbors = max(1, min(_NEIGHBORS, (count - 1) // 2))
        found = self._map.nearest(places, neighbors, own).places
        ranks = self._among.ranks(rows, found, own)
        excess = np.maximum(0, ranks + 1 - neighbors).sum(axis=1)
        worst = neighbors * (2 * count - 3 * neighbors - 1) / 2
        return np.asarray(1 - excess / max(worst, 1))
