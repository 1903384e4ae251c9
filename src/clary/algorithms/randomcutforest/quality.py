"""How well anomalies are told from other rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from clary.codecs.batch import Batch
from clary.kit.labels import FIRST_COLUMN, check_rows, one_label


def scores_of(counts: npt.NDArray[np.float64], wanted: Sequence[str]) -> dict[str, float]:
    """The metrics by name.

    counts: (2, 2), rows by label and by what they were told to be. wanted: of `eval_metrics`.
    A share of nothing is 0.
    """
    found: dict[str, float] = {}
    if "accuracy" in wanted:
        found["test:accuracy"] = _share(np.trace(counts), counts.sum())
    if "precision_recall_fscore" in wanted:
        for kind, prefix in ((1, ""), (0, "normal_")):
            precision = _share(counts[kind, kind], counts[:, kind].sum())
            recall = _share(counts[kind, kind], counts[kind].sum())
            found[f"test:{prefix}precision"] = precision
            found[f"test:{prefix}recall"] = recall
            found[f"test:{prefix}f1"] = _share(2 * precision * recall, precision + recall)
    return found


def labels_of(batch: Batch, channel: str, before: int) -> npt.NDArray[np.float32]:
    """(rows,) labels. before: how many rows of the channel came earlier.

    Raises:
        CallerError: there are none or several a row, or one is neither 0 nor 1.
    """
    label = one_label(batch, channel)
    right = (label == 0) | (label == 1)
    check_rows(right, label, channel, before, "must be 1 for anomalies or 0", FIRST_COLUMN)
    return label


def counted(label: npt.NDArray[np.float32], told: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """(2, 2): rows by label, 0 or 1, and by what they were told to be."""
    pairs = 2 * label.astype(np.intp) + told
    return np.bincount(pairs, minlength=4).reshape(2, 2).astype(np.float64)


def remark(counts: npt.NDArray[np.float64]) -> str:
    """What is to be said of labels that are all alike; else nothing."""
    rows = counts.sum(axis=1)
    if rows.all():
        return ""
    lone = "no anomaly (label 1)" if rows[0] else "no normal row (label 0)"
    return f"channel test has {lone}: precision, recall and F1 of these are told as 0"


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
