"""Labels: what each predictor takes, checked row by row, and what each class weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters
from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.kit.cluster import Cluster

Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Labelling:
    """Labels of one predictor.

    outputs: scores that a model gives: 1, or the number of classes or of labels.
    class_weights: (classes,) or None, meaning 1.
    """

    predictor_type: str
    outputs: int
    class_weights: Floats | None = None

    def checked(self, batch: Batch, channel: str, first: int = 0) -> Floats:
        """The labels: (rows,), or (rows, outputs) for several labels.

        `first` is the number of rows before these in the channel.

        Raises:
            CallerError: a label is none that the predictor takes; the first such is named.
        """
        labels = labels_of(batch, self.predictor_type, channel)
        if batch.rows and labels.ndim == 2 and labels.shape[1] != self.outputs:
            raise CallerError.of(
                f"channel {channel}", f"its rows must have {self.outputs} labels", labels.shape[1]
            )
        wrong = self._wrong(labels)
        if wrong.any():
            row = int(np.flatnonzero(wrong.reshape(batch.rows, -1).any(axis=1))[0])
            value = float(labels[wrong].flat[0])
            thing = f"channel {channel}, row {first + row + 1}, label"
            raise CallerError.of(thing, *self._refusal(value))
        return labels

    def weights(self, labels: Floats) -> Floats | None:
        """(rows,) the weight of each row's class; None means 1."""
        if self.class_weights is None:
            return None
        return self.class_weights[labels.astype(np.intp)]

    def _wrong(self, labels: Floats) -> npt.NDArray[np.bool_]:
        if self.predictor_type == "regressor":
            return np.asarray(~np.isfinite(labels))
        classes = self.outputs if self.predictor_type == "multiclass_classifier" else 2
        # NaN is unequal to its floor
        return np.asarray((np.floor(labels) != labels) | (labels < 0) | (labels >= classes))

    def _refusal(self, value: float) -> tuple[str, float, str]:
        if self.predictor_type == "regressor":
            return "must be a finite number", value, ""
        if self.predictor_type != "multiclass_classifier":
            return f"must be 0 or 1 for a {self.predictor_type}", value, _FIRST_COLUMN
        rule = f"must be a whole number from 0 to {self.outputs - 1} for num_classes {self.outputs}"
        remedy = "Labels start at 0. " if value == self.outputs else ""
        return rule, value, remedy + _FIRST_COLUMN


_FIRST_COLUMN = "In CSV the label is the first column."


def labels_of(batch: Batch, predictor_type: str, channel: str) -> Floats:
    """(rows,) labels, or (rows, labels) for a multilabel_classifier.

    Raises:
        CallerError: there are none, or several where one is wanted.
    """
    labels = batch.labels()
    if predictor_type == "multilabel_classifier":
        if labels.ndim == 1 and batch.rows:
            raise CallerError.of(
                f"channel {channel}",
                "a multilabel_classifier takes several labels a row",
                1,
                "For CSV say how many: text/csv;label_size=2.",
            )
        return labels.reshape(batch.rows, -1) if batch.rows else labels.reshape(0, 0)
    if labels.size != batch.rows:
        raise CallerError.of(
            f"channel {channel}",
            f"a {predictor_type} takes one label a row",
            labels.shape[1],
            "predictor_type=multilabel_classifier takes several.",
        )
    return labels.reshape(-1)


def labelling_of(
    sample: Batch, params: LinearLearnerHyperparameters, cluster: Cluster
) -> Labelling:
    """The labelling; the number of outputs comes from all hosts' samples where it is not given.

    Raises:
        CallerError: there are too few classes, or labels that the predictor does not take.
    """
    kind = params.predictor_type
    labels = labels_of(sample, kind, "train")
    if kind == "multilabel_classifier":
        return Labelling(kind, _highest(cluster, labels.shape[1]))
    if kind != "multiclass_classifier":
        return Labelling(kind, 1)
    if params.num_classes is not None:
        return Labelling(kind, params.num_classes)
    Labelling(kind, 1_000_000).checked(sample, "train")
    classes = _highest(cluster, int(labels.max(initial=0))) + 1
    if classes < 3:
        raise CallerError.of(
            "num_classes",
            "a multiclass_classifier needs 3 classes at least; train's first labels have",
            classes,
            "Use predictor_type=binary_classifier, or give num_classes.",
        )
    return Labelling(kind, classes)


def _highest(cluster: Cluster, number: int) -> int:
    """Of all hosts' numbers."""
    return int(max(part[0] for part in cluster.gather(np.array([number]))))


def class_counts(labels: Floats, labelling: Labelling) -> npt.NDArray[np.float64]:
    """Rows of each class; empty for predictors without classes."""
    if labelling.predictor_type not in {"binary_classifier", "multiclass_classifier"}:
        return np.zeros(0)
    classes = max(2, labelling.outputs)
    return np.bincount(labels.astype(np.intp), minlength=classes).astype(np.float64)
