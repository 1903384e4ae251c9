"""What the report page shows of a support vector machine."""

from __future__ import annotations

import numpy as np

from clary.algorithms.svm.scores import Answers
from clary.kit.bars import histogram
from clary.kit.calibration import calibration, spread
from clary.kit.figures import Bars, Figure
from clary.kit.quality import class_rankings, confusion, ranking, regression

_MOST_BARS = 20


def quality(classes: int, answers: Answers, *, calibrated: bool) -> list[Figure]:
    """How answers to held-out rows compare with their labels.

    classes: 1 for numbers. calibrated: whether scores are probabilities.
    """
    if classes == 1:
        return regression(answers.label, answers.score)
    told = [confusion(answers.label, answers.predicted, classes)]
    if classes > 2:
        return [*told, *class_rankings(answers.label, answers.score)]
    return [*told, *ranking(answers.label > 0, answers.score), *_scores(answers, calibrated)]


def _scores(answers: Answers, calibrated: bool) -> list[Figure]:
    if not calibrated:
        caption = "Rows above 0 are labelled 1; between -1 and 1 they lie within the margin."
        return [histogram("Distances to the border", answers.score, "score", caption=caption)]
    told = spread(answers.score, "Probabilities of label 1.", "Spread of the probabilities")
    return [told, *calibration(answers.label, answers.score)]


def support(counts: tuple[int, ...]) -> Bars:
    """How many support vectors are of each class."""
    shown = np.sort(np.argsort(-np.array(counts), kind="stable")[:_MOST_BARS])
    left_out = len(counts) - len(shown)
    return Bars(
        "Support vectors by class",
        [str(one) for one in shown],
        [float(counts[one]) for one in shown],
        "class",
        "support vectors",
        caption=f"{sum(counts):,} rows of train hold the borders."
        + (f" The {left_out} classes with the fewest are left out." if left_out else ""),
    )
