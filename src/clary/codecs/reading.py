"""How bytes are to be read: what decoders are told beside the bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """Instructions for a decoder.

    label_size: leading label columns (CSV, Parquet); for records and libsvm, 0 drops the label.
    weights: the column after the labels is the row's weight (CSV).
    width: features a row must have; None takes the first row's.
    missing: empty fields and NaN are values; otherwise they are faults, as infinities always are.
    """

    label_size: int = 1
    weights: bool = False
    width: int | None = None
    missing: bool = False
