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
from clary.kit.labels import check_labels, labels_of, one_label

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
        labels = labels_for(batch, self.predictor_type, channel)
        if batch.rows and labels.ndim == 2 and labels.shape[1] != self.outputs:
            raise CallerError.of(
                f"channel {channel}", f"its rows must have {self.outputs} labels", labels.shape[1]
            )
        classes = self.outputs if self.predictor_type == "multiclass_classifier" else None
        check_labels(labels, self.predictor_type, channel, first, classes)
        return labels

    def weights(self, labels: Floats) -> Floats | None:
        """(rows,) the weight of each row's class; None means 1."""
        if self.class_weights is None:
            return None
        return self.class_weights[labels.astype(np.intp)]


def labels_for(batch: Batch, predictor_type: str, channel: str) -> Floats:
    """(rows,) labels, or (rows, labels) for a multilabel_classifier.

    Raises:
        CallerError: there are none, or several where one is wanted.
    """
    if predictor_type != "multilabel_classifier":
        return one_label(batch, channel, "predictor_type=multilabel_classifier takes several.")
    labels = labels_of(batch, channel)
    if labels.ndim == 1 and batch.rows:
        raise CallerError.of(
            f"channel {channel}",
            "a multilabel_classifier takes several labels a row",
            1,
            "For CSV say how many: text/csv;label_size=2.",
        )
    return labels.reshape(batch.rows, -1) if batch.rows else labels.reshape(0, 0)


def labelling_of(
    sample: Batch, params: LinearLearnerHyperparameters, cluster: Cluster
) -> Labelling:
    """The labelling; the number of outputs comes from all hosts' samples where it is not given.

    Raises:
        CallerError: there are too few classes, or labels that the predictor does not take.
    """
    kind = params.predictor_type
    labels = labels_for(sample, kind, "train")
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
