"""What rows are like that are not numbers: counted in one pass, before anyone trains on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow.compute as pc

from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.spec.columns import Column

_BATCH_ROWS = 8192
_MOST_VALUES = 1_000_000


@dataclass
class ColumnCounts:
    """How often each value of a column occurs, as long as there are not too many (then None)."""

    column: Column
    values: Counter[str] | None = field(default_factory=Counter)

    @property
    def distinct(self) -> int | None:
        return None if self.values is None else len(self.values)

    @property
    def once(self) -> int | None:
        """How many values there are that occur once."""
        return None if self.values is None else sum(n == 1 for n in self.values.values())


@dataclass
class ColumnSurvey:
    """Counts over a channel, a `ColumnCounts` for each of its columns."""

    columns: Sequence[ColumnCounts]
    rows: int = 0

    def add(self, batch: Batch) -> None:
        """Count the rows of a batch."""
        self.rows += batch.rows
        for seen, values in zip(self.columns, batch.columns(), strict=True):
            if seen.values is not None:
                counts = pc.value_counts(values)
                words, numbers = (counts.field(at).to_pylist() for at in (0, 1))
                seen.values.update(dict(zip(words, numbers, strict=True)))
                if len(seen.values) > _MOST_VALUES:
                    seen.values = None


def column_survey(channel: Channel, columns: Sequence[Column]) -> ColumnSurvey:
    """Read a channel once and count.

    Raises:
        CallerError: the data cannot be read.
    """
    seen = ColumnSurvey([ColumnCounts(column) for column in columns])
    for batch in channel.batches(_BATCH_ROWS):
        seen.add(batch)
    return seen
