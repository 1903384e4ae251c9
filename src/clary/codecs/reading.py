"""How bytes are to be read: what decoders are told beside the bytes."""

from __future__ import annotations

from dataclasses import dataclass

from clary.spec.columns import Column


@dataclass(frozen=True)
class Reading:
    """Instructions for a decoder.

    label_size: leading label columns (CSV, Parquet); for records and libsvm, 0 drops the label.
    weights: the column after the labels is the row's weight (CSV, Parquet).
    width: features a row must have; None takes the first row's.
    missing: empty fields and NaN are values; otherwise they are faults, as infinities always are.
    columns: what rows hold that are not numbers; there are no labels and weights beside them.
    """

    label_size: int = 1
    weights: bool = False
    width: int | None = None
    missing: bool = False
    columns: tuple[Column, ...] = ()

    @property
    def lead(self) -> int:
        """Columns that come before the features in tables."""
        return self.label_size + self.weights

    @property
    def lead_words(self) -> str:
        """What those columns are."""
        labels = [f"label_size={self.label_size}"] if self.label_size else []
        return " and ".join(labels + ["a weight"] * self.weights)
