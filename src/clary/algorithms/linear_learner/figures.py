"""What the report page shows of the answers to held-out rows."""

from __future__ import annotations

from clary.algorithms.linear_learner.scores import Answers
from clary.kit.calibration import calibration, spread
from clary.kit.figures import Bars, Figure
from clary.kit.quality import class_rankings, confusion, ranking, regression


def figures_of(predictor_type: str, answers: Answers, threshold: float) -> list[Figure]:
    """The figures for the kind of target."""
    if predictor_type == "regressor":
        return regression(answers.label, answers.score)
    if predictor_type == "multilabel_classifier":
        return [_by_label(answers)]
    if predictor_type == "binary_classifier":
        return [
            confusion(answers.label, answers.predicted, 2),
            *ranking(answers.label > 0, answers.score),
            spread(answers.score, f"Rows from {threshold:.3g} on are labelled 1."),
            *calibration(answers.label, answers.score),
        ]
    classes = answers.score.shape[1]
    return [
        confusion(answers.label, answers.predicted, classes),
        *class_rankings(answers.label, answers.score),
    ]


def _by_label(answers: Answers) -> Bars:
    right = ((answers.label > 0) == (answers.predicted > 0)).mean(axis=0)
    names = [str(one) for one in range(len(right))]
    return Bars("Accuracy by label", names, right.tolist(), "label", "accuracy")
