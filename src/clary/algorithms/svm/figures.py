"""What the report page shows of a support vector machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clary.algorithms.svm.heads import Linear
from clary.algorithms.svm.scores import Answers
from clary.codecs.batch import Batch
from clary.kit.bars import effects, histogram
from clary.kit.calibration import calibration, spread
from clary.kit.figures import Bars, Figure
from clary.kit.quality import class_rankings, confusion, ranking, regression

if TYPE_CHECKING:
    from clary.algorithms.svm.model import SVMModel

_MOST_BARS = 20


def figures_of(model: SVMModel, rows: Batch | None, answers: Answers | None) -> list[Figure]:
    """How answers to held-out rows compare with labels, and what the model is made of."""
    found: list[Figure] = []
    if rows is not None and answers is not None:
        found += _quality(model, answers)
    if model.support_counts and model.classes > 1:
        found.append(_support(model.support_counts))
    head = model.machine.head
    if rows is None or not isinstance(head, Linear) or len(head.weights) > 1:
        return found
    return [*found, effects(head.weights[0], rows)] if model.is_straight else found


def _quality(model: SVMModel, answers: Answers) -> list[Figure]:
    if model.classes == 1:
        return regression(answers.label, answers.score)
    told = [confusion(answers.label, answers.predicted, model.classes)]
    if model.classes > 2:
        return [*told, *class_rankings(answers.label, answers.score)]
    return [*told, *ranking(answers.label > 0, answers.score), *_scores(model, answers)]


def _scores(model: SVMModel, answers: Answers) -> list[Figure]:
    if model.calibration is None:
        caption = "Rows above 0 are labelled 1; between -1 and 1 they lie within the margin."
        return [histogram("Distances to the border", answers.score, "score", caption=caption)]
    told = spread(answers.score, "Probabilities of label 1.", "Spread of the probabilities")
    return [told, *calibration(answers.label, answers.score)]


def _support(counts: tuple[int, ...]) -> Bars:
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
