"""What neighbors' labels say together, and how well that is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clary.algorithms.knn.nearest import Doubles, Floats
from clary.kernels import kernel


def answered(labels: Floats, predictor_type: str) -> Floats:
    """(rows,): what each row's labels, (rows, k) and the nearest first, say together.

    Of a classifier it is the most frequent one, of several such the nearest; of a regressor their
    mean.
    """
    if predictor_type == "regressor":
        return np.asarray(labels.mean(axis=1, dtype=np.float64), dtype=np.float32)
    return _most_frequent(labels)


@kernel
def _most_frequent(labels: Floats) -> Floats:
    found = np.empty(len(labels), np.float32)
    for i in range(len(labels)):
        ranked = np.sort(labels[i])
        most = run = 1
        for j in range(1, len(ranked)):
            run = run + 1 if ranked[j] == ranked[j - 1] else 1
            most = max(most, run)
        for label in labels[i]:
            last = np.searchsorted(ranked, label, side="right") - 1
            if last - most + 1 >= 0 and ranked[last - most + 1] == label:
                found[i] = label
                break
    return found


def shares(labels: Floats, classes: Floats) -> Floats:
    """(rows, classes): which share of each row's neighbors is of each class.

    labels: (rows, k), each one of `classes`, which ascend.
    """
    rows, k = labels.shape
    codes = np.searchsorted(classes, labels) + len(classes) * np.arange(rows)[:, None]
    counts = np.bincount(codes.ravel(), minlength=rows * len(classes))
    return np.asarray(counts.reshape(rows, len(classes)) / k, dtype=np.float32)


@dataclass
class Scores:
    """Counts, by label, of a classifier's answers, and the squared errors of a regressor."""

    predictor_type: str
    rows: int = 0
    _squares: float = 0.0
    _true: dict[float, int] = field(default_factory=dict)
    _told: dict[float, int] = field(default_factory=dict)
    _right: dict[float, int] = field(default_factory=dict)

    def add(self, labels: Floats, predicted: Floats) -> None:
        """Some rows; both (rows,)."""
        self.rows += len(labels)
        errors: Doubles = labels.astype(np.float64) - predicted
        self._squares += float(errors @ errors)
        if self.predictor_type == "classifier":
            _count(self._true, labels)
            _count(self._told, predicted)
            _count(self._right, labels[labels == predicted])

    def metrics(self) -> dict[str, float]:
        """Of the declared metrics those of the predictor."""
        if self.predictor_type == "regressor":
            return {"test:mse": self._squares / self.rows}
        right = sum(self._right.values())
        known = self._true.keys() | self._told.keys()
        of_classes = [
            2 * self._right.get(one, 0) / (self._true.get(one, 0) + self._told.get(one, 0))
            for one in sorted(known)
        ]
        return {
            "test:accuracy": right / self.rows,
            "test:macro_f_1.000": sum(of_classes) / len(of_classes),
        }


def _count(counts: dict[float, int], labels: Floats) -> None:
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        counts[float(label)] = counts.get(float(label), 0) + int(count)
