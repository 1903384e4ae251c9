"""A uniform sample of a stream of labelled rows, in memory for the sample alone.

J. Vitter, "Random sampling with a reservoir", ACM TOMS 11 (1985), algorithm R: row number i takes
a random place among i; if that is in the reservoir, it replaces what is there. Each row draws once,
so that the sample does not depend on how rows are cut into batches.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clary import settings
from clary.algorithms.knn.nearest import Floats
from clary.codecs.batch import Batch, Features
from clary.errors import CallerError
from clary.kit.labels import check_rows, one_label

_CHUNK_NUMBERS = 1 << 22
# The sample itself, its copy in the index, and what the search makes of it
_COPIES = 3


class Reservoir:
    """Rows kept of a stream, in the places that they took.

    size: how many are kept; None keeps all. width: of a row as it is kept, after `reduced`.
    """

    def __init__(
        self,
        size: int | None,
        width: int,
        rng: np.random.Generator,
        reduced: Callable[[Features], Floats],
    ) -> None:
        self.rows = np.empty((0, width), np.float32)
        self.labels = np.empty(0, np.float32)
        self._size = size
        self._rng = rng
        self._reduced = reduced
        self._seen = 0

    def add(self, features: Features, labels: Floats) -> None:
        """See some rows.

        Raises:
            CallerError: the sample does not fit into memory.
        """
        count = len(labels)
        room = count if self._size is None else min(count, max(0, self._size - self._seen))
        if room:
            self._extend(features[:room], labels[:room])
        if room < count:
            numbers = np.arange(self._seen + room, self._seen + count)
            places = (self._rng.random(count - room) * (numbers + 1)).astype(np.int64)
            taken = np.flatnonzero(places < (self._size or 0))
            # Of two that take one place the later stays, as NumPy assigns in order
            self._put(places[taken], features[room + taken], labels[room + taken])
        self._seen += count

    def _extend(self, features: Features, labels: Floats) -> None:
        first, more = len(self.labels), len(labels)
        self._check(first + more)
        # In place, so that the sample is never there twice
        self.rows.resize((first + more, self.rows.shape[1]), refcheck=False)
        self.labels.resize(first + more, refcheck=False)
        self._put(np.arange(first, first + more), features, labels)

    def _put(
        self, places: np.ndarray[tuple[int], np.dtype[np.int64]], features: Features, labels: Floats
    ) -> None:
        some = max(1, _CHUNK_NUMBERS // max(1, features.shape[1]))
        for start in range(0, len(places), some):
            part = slice(start, start + some)
            self.rows[places[part]] = self._reduced(features[part])
        self.labels[places] = labels

    def _check(self, rows: int) -> None:
        needed = _COPIES * 4 * rows * self.rows.shape[1]
        if needed > settings.job_memory_bytes():
            raise CallerError.of(
                "sample_size",
                f"{rows:,} rows of {self.rows.shape[1]:,} numbers must fit into memory",
                f"{needed / 2**30:.1f} GiB",
                "Lower it, or set dimension_reduction_type and dimension_reduction_target.",
            )


def dense(features: Features) -> Floats:
    """The rows as they are, sparse ones filled with zeros."""
    return features if isinstance(features, np.ndarray) else features.toarray()


def finite_labels(batch: Batch, channel: str, before: int) -> Floats:
    """(rows,) labels, of which each number may be a class. before: rows earlier in the channel.

    Raises:
        CallerError: there are none, several a row, or one is not a finite number.
    """
    labels = one_label(batch, channel)
    check_rows(np.isfinite(labels), labels, channel, before, "must be a finite number")
    return labels
