"""Rows that the checks train on: three groups in six dimensions, made by a seeded rule.

Where an algorithm's rows are not numbers, its columns hold texts and addresses of three groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clary.codecs.batch import Batch
from clary.codecs.columns import batch_of
from clary.spec.columns import Column, ColumnKind

Array: TypeAlias = npt.NDArray[Any]

WIDTH = 6
_GROUPS = 3
# So that the groups overlap a little: of classes that nothing confuses all losses are near 0
_SPREAD = 8.0


def rows(labels: str, count: int, seed: int = 0, first: int = 0) -> Batch:
    """`count` rows from number `first` on, labelled as an example wants them.

    Values are multiples of 1/64 below 100, which every text format writes exactly; none is 0, which
    sparse formats leave out and XGBoost tells from a value that is missing.
    """
    draw = np.random.default_rng([seed, first])
    centers = np.random.default_rng(seed).uniform(-20, 20, (_GROUPS, WIDTH))
    group = draw.integers(0, _GROUPS, count)
    group[: min(count, _GROUPS)] = np.arange(min(count, _GROUPS))
    noise = draw.normal(scale=_SPREAD, size=(count, WIDTH))
    features = (np.round((centers[group] + noise) * 64) / 64).astype(np.float32)
    features[features == 0] = 1 / 64
    batch = Batch(features)
    label = _LABELS[labels](group, features)
    return batch if label is None else replace(batch, label=label.astype(np.float32))


def column_rows(columns: Sequence[Column], count: int, seed: int = 0, first: int = 0) -> Batch:
    """`count` rows from number `first` on: ten texts a group, and addresses of its network."""
    draw = np.random.default_rng([seed, first])
    group = draw.integers(0, _GROUPS, count)
    values = [
        [_CELLS[column.kind](int(one), draw.integers(0, 10, 3)) for one in group]
        for column in columns
    ]
    return batch_of([pa.array(each, pa.string()) for each in values], columns)


_CELLS: Mapping[ColumnKind, Callable[[int, Array], str]] = {
    "text": lambda group, drawn: f"someone {group}{drawn[0]}",
    "address": lambda group, drawn: f"{20 + 70 * group}.{drawn[0]}.{drawn[1]}.{drawn[2]}",
}


def _several(group: Array, features: Array) -> Array:
    """(rows, 2): two yes-or-no labels a row."""
    return np.column_stack([group == 0, group < 2])


_LABELS: Mapping[str, Callable[[Array, Array], Array | None]] = {
    "none": lambda group, features: None,
    "binary": lambda group, features: group == 0,
    "multiclass": lambda group, features: group,
    "multilabel": _several,
    "number": lambda group, features: np.round((features[:, 0] * 2 - features[:, 1]) * 8) / 8,
}
