"""The labels that each objective allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clary.algorithms.xgboost.matrices import Rows
from clary.codecs.batch import Floats
from clary.errors import CallerError
from clary.kit.labels import check_rows, labels_of

_REMEDY = "The label is the first column; leave out header lines and index columns."
# Above it the gain 2^label - 1 of ndcg leaves the engine's integers
_MOST_RELEVANT = 31


@dataclass(frozen=True)
class _Range:
    """Labels from `low` (without it if `open`) to `high`, or whole ones of them only."""

    low: float
    high: float = np.inf
    whole: bool = False
    open: bool = False

    def allows(self, label: Floats) -> npt.NDArray[np.bool_]:
        """Which labels are in the range; infinities and NaN never are."""
        low = label > self.low if self.open else label >= self.low
        whole = label == np.floor(label) if self.whole else True
        return np.asarray(low & (label <= self.high) & np.isfinite(label) & whole)

    def __str__(self) -> str:
        noun = "a whole number" if self.whole else "a finite number"
        if self.low == -np.inf:
            return noun
        if self.high == np.inf:
            return f"{noun} {'above' if self.open else 'of at least'} {self.low:g}"
        return f"{noun} from {self.low:g} to {self.high:g}"


_RANGES: Mapping[str, _Range] = {
    "binary:logistic": _Range(0, 1, whole=True),
    "binary:logitraw": _Range(0, 1, whole=True),
    "binary:hinge": _Range(0, 1, whole=True),
    "reg:logistic": _Range(0, 1),
    "reg:gamma": _Range(0, open=True),
    "reg:squaredlogerror": _Range(-1, open=True),
    "reg:tweedie": _Range(0),
    "count:poisson": _Range(0),
    "rank:pairwise": _Range(0, _MOST_RELEVANT, whole=True),
    "rank:ndcg": _Range(0, _MOST_RELEVANT, whole=True),
    "rank:map": _Range(0, 1, whole=True),
}


def check(rows: Rows, objective: str, num_class: int | None) -> None:
    """See that the objective allows the labels.

    Raises:
        CallerError: naming the first label that it does not allow.
    """
    allowed = _RANGES.get(objective, _Range(-np.inf))
    if objective.startswith("multi:"):
        allowed = _Range(0, num_class - 1 if num_class else np.inf, whole=True)
    before = 0
    for block in rows.blocks:
        label = labels_of(block, rows.channel)
        intervals = label.ndim == 2 and label.shape[1] == 2 and objective == "survival:aft"
        if label.ndim == 2 and not intervals:
            rule = "must have one label a row"
            raise CallerError.of(f"channel {rows.channel}", rule, label.shape[1])
        right = _are_intervals(label) if intervals else allowed.allows(label)
        rule = "times from low to high" if intervals else str(allowed)
        rule = f"must be {rule} for {objective}"
        check_rows(right, label, rows.channel, before, rule, _REMEDY)
        before += block.rows


def _are_intervals(label: Floats) -> npt.NDArray[np.bool_]:
    low, high = label.T
    return np.asarray((low >= 0) & (low <= high) & (high > 0))
