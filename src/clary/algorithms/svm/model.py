"""A trained support vector machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clary.algorithms.svm import artifact
from clary.algorithms.svm.artifact import Parts
from clary.algorithms.svm.calibration import Calibration
from clary.algorithms.svm.figures import quality, support
from clary.algorithms.svm.heads import Linear
from clary.algorithms.svm.kernels import Doubles
from clary.algorithms.svm.machine import Machine, Plain
from clary.algorithms.svm.scores import Answers, scores_of
from clary.algorithms.svm.spec import ALGORITHM, SVMHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.errors import CallerError
from clary.kit.bars import effects
from clary.kit.figures import Figure
from clary.kit.finite import check_finite
from clary.kit.labels import checked_labels
from clary.kit.model import Model, Outputs, check_width
from clary.kit.width import features_of
from clary.spec.algorithm import Algorithm

_EVALUATED_ROWS = 16384
_SHOWN_COEFFICIENTS = 1000


class SVMModel(Model):
    """A machine, the number of its support vectors by class, and a calibration if there is one."""

    algorithm: ClassVar[Algorithm] = ALGORITHM
    params: SVMHyperparameters

    def __init__(
        self,
        params: SVMHyperparameters,
        machine: Machine,
        support_counts: tuple[int, ...] = (),
        calibration: Calibration | None = None,
    ) -> None:
        self.params = params
        self.machine = machine
        self.support_counts = support_counts
        self.calibration = calibration

    @property
    def width(self) -> int:
        return len(self.machine.scaling.mean)

    def predict(self, batch: Batch) -> Outputs:
        check_width(self, batch)
        raw = self.machine.raw(batch.features)
        score = self._scores(raw).astype(np.float32)
        if self.params.predictor_type == "regressor":
            return {"score": score}
        return {"score": score, "predicted_label": self.machine.head.labels(raw)}

    def decisions(self, batch: Batch) -> Doubles:
        """(rows,) of regressors and two classes, else (rows, classes): scikit-learn's decisions."""
        check_width(self, batch)
        return self.machine.head.scores(self.machine.raw(batch.features))

    def evaluate(self, channel: Channel) -> dict[str, float]:
        return {f"test:{name}": value for name, value in self.scores(channel).items()}

    def scores(self, channel: Channel) -> dict[str, float]:
        """Every score of the predictor, by name, on labelled rows.

        Raises:
            CallerError: rows or labels do not fit.
        """
        parts = list(self._answers(channel))
        if not parts:
            raise CallerError.of(f"channel {channel.name}", "must have rows", 0)
        label, score, predicted = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("label", "score", "predicted")
        )
        return scores_of(self.params.predictor_type, Answers(label, score, predicted))

    def metric_fields(self) -> Mapping[str, Any]:
        return {"beta": "1.000"}

    def save(self, folder: Path) -> None:
        parts = Parts(self.params, self.machine, self.support_counts, self.calibration)
        artifact.write(folder, parts)

    @classmethod
    def load(cls, folder: Path, params: Mapping[str, Any] | None = None) -> Self:
        parts = artifact.read(folder)
        return cls(parts.params, parts.machine, parts.support_counts, parts.calibration)

    @classmethod
    def recognizes(cls, folder: Path) -> bool:
        return artifact.recognizes(folder)

    @property
    def classes(self) -> int:
        """How many classes it tells apart; 1 for regressors."""
        kinds = {"regressor": 1, "binary_classifier": 2}
        return kinds.get(self.params.predictor_type) or int(self.params.num_classes or 0)

    @property
    def is_straight(self) -> bool:
        """Whether decisions are linear in the features, so that there are coefficients."""
        return isinstance(self.machine.inputs, Plain)

    def summary(self) -> dict[str, Any]:
        """Settings, support vectors by class, and coefficients where there are some."""
        params, head = self.params, self.machine.head
        told: dict[str, Any] = {
            "predictor_type": params.predictor_type,
            "features": self.width,
            "kernel": params.kernel,
            "C": params.C,
        }
        if params.predictor_type != "regressor":
            told["classes"] = self.classes
        if params.kernel != "linear":
            told |= {"gamma": params.gamma, "kernel_approximation": params.kernel_approximation}
        if self.support_counts:
            told["support_vectors"] = sum(self.support_counts)
        if self.support_counts and params.predictor_type != "regressor":
            told["support_vectors_by_class"] = list(self.support_counts)
        if params.kernel_approximation not in {"none", "auto"}:
            told["num_components"] = self.machine.inputs.inputs
        if isinstance(head, Linear) and self.is_straight:
            told |= self._coefficients(head)
        return {**told, "probability": self.calibration is not None}

    def figures(self, held_out: Batch | None) -> list[Figure]:
        found: list[Figure] = []
        if held_out is not None and held_out.label is not None:
            answers = self._answered(held_out, "held out", 0)
            found += quality(self.classes, answers, calibrated=self.calibration is not None)
        if self.support_counts and self.classes > 1:
            found.append(support(self.support_counts))
        head = self.machine.head
        if held_out is None or not self.is_straight or not isinstance(head, Linear):
            return found
        return [*found, *(effects(one, held_out) for one in head.weights if self.classes < 3)]

    def _coefficients(self, head: Linear) -> dict[str, Any]:
        told: dict[str, Any] = {"bias": head.bias.tolist()}
        if head.weights.size <= _SHOWN_COEFFICIENTS:
            return {**told, "coefficients": head.weights.tolist()}
        order = np.argsort(-np.abs(head.weights).ravel(), kind="stable")[:_SHOWN_COEFFICIENTS]
        places = zip(*np.unravel_index(order, head.weights.shape), strict=True)
        told["largest_coefficients"] = [
            {"output": int(row), "feature": int(column), "weight": float(head.weights[row, column])}
            for row, column in places
        ]
        return told

    def _scores(self, raw: Doubles) -> Doubles:
        if self.calibration is not None:
            return self.calibration.probabilities(raw, self.machine.head)
        return self.machine.head.scores(raw)

    def _answers(self, channel: Channel) -> Iterator[Answers]:
        for batch, before in channel.numbered(_EVALUATED_ROWS):
            yield self._answered(batch, channel.name, before)

    def _answered(self, batch: Batch, channel: str, before: int) -> Answers:
        features = features_of(batch, self.width, channel)
        check_finite(features, channel, before)
        kind = self.params.predictor_type
        label = checked_labels(batch, kind, channel, before, self.params.num_classes)
        raw = self.machine.raw(features)
        predicted: npt.NDArray[Any] = np.zeros(batch.rows, np.intp)
        if kind != "regressor":
            predicted = self.machine.head.labels(raw)
        return Answers(label, self._scores(raw), predicted)
