"""The model: one linear layer, a link, and for binary classifiers a threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.linear_learner import artifact
from clary.algorithms.linear_learner.figures import figures_of
from clary.algorithms.linear_learner.labels import Labelling
from clary.algorithms.linear_learner.losses import loss_of
from clary.algorithms.linear_learner.scores import (
    Answers,
    binary_scores,
    multiclass_scores,
    multilabel_scores,
    regression_scores,
)
from clary.algorithms.linear_learner.spec import ALGORITHM, LOSSES, LinearLearnerHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.errors import CallerError
from clary.kit.bars import effects
from clary.kit.figures import Figure
from clary.kit.finite import check_finite
from clary.kit.labels import checked_weights
from clary.kit.model import Model, Outputs, check_width
from clary.kit.parallel import ordered_map
from clary.kit.width import features_of
from clary.spec.algorithm import Algorithm

Floats: TypeAlias = npt.NDArray[np.float32]
Integers: TypeAlias = npt.NDArray[np.int64]

_CHUNK_NUMBERS = 2**20
_SHOWN_COEFFICIENTS = 1000


@dataclass(frozen=True)
class LinearLearnerModel(Model):
    """Coefficients on the features' own scale.

    weights: (outputs, width); bias: (outputs,). threshold: the score from which a row of a binary
    classifier is labelled 1. class_weights: (classes,) of the training loss, None meaning 1.
    """

    params: LinearLearnerHyperparameters
    weights: Floats
    bias: Floats
    threshold: float = 0.5
    class_weights: Floats | None = None

    algorithm: ClassVar[Algorithm] = ALGORITHM

    @property
    def width(self) -> int:
        return int(self.weights.shape[1])

    @property
    def outputs(self) -> int:
        """Scores that a row gets."""
        return len(self.weights)

    def predict(self, batch: Batch) -> Outputs:
        check_width(self, batch)
        scores = self.scored(self.margins(batch))
        if self.params.predictor_type == "regressor":
            return {"score": scores}
        return {"score": scores, "predicted_label": self.labelled(scores)}

    def margins(self, batch: Batch) -> Floats:
        """The layer's values before the link: (rows, outputs).

        Summed in float64, since BLAS adds up a row in another order at another place of the batch.
        """
        weights = self.weights[:, : batch.width].T.astype(np.float64)
        values = np.empty((batch.rows, self.outputs), dtype=np.float32)
        some = max(1, 4 * _CHUNK_NUMBERS * batch.rows // max(1, batch.nbytes))
        for start in range(0, batch.rows, some):
            part = batch.features[start : start + some].astype(np.float64)
            values[start : start + some] = part @ weights + self.bias
        return values

    def scored(self, margins: Floats) -> Floats:
        """The answers' scores: (rows,), or (rows, outputs) for several outputs."""
        kind = self.params.predictor_type
        if kind == "multiclass_classifier":
            margins = np.exp(margins - margins.max(axis=1, keepdims=True))
            return np.asarray(margins / margins.sum(axis=1, keepdims=True), dtype=np.float32)
        if self.params.loss == "logistic":
            margins = sigmoid(margins)
        return margins if kind == "multilabel_classifier" else margins[:, 0]

    def labelled(self, scores: Floats) -> Integers:
        """The class of each row; 0 or 1 for each label of several."""
        if self.params.predictor_type == "multiclass_classifier":
            return np.asarray(np.argmax(scores, axis=1))
        return (scores >= np.float32(self.threshold)).astype(np.int64)

    def evaluate(self, channel: Channel) -> dict[str, float]:
        declared = {metric.name for metric in ALGORITHM.metrics}
        scored = {f"test:{name}": value for name, value in self.scores(channel).items()}
        return {name: value for name, value in scored.items() if name in declared}

    def scores(self, channel: Channel, epoch: int = 0) -> dict[str, float]:
        """Every score of the predictor and `objective_loss`, by name, on labelled rows.

        Raises:
            CallerError: rows or labels do not fit.
        """
        losses, weights = [], []

        def answers() -> Iterator[Answers]:
            for one in ordered_map(self._answers, self._numbered(channel, epoch)):
                losses.append(one.loss)
                weights.append(one.weight)
                yield one

        params = self.params
        if params.predictor_type == "regressor":
            scores = regression_scores(answers())
        elif params.predictor_type == "binary_classifier":
            scores = binary_scores(answers(), params.f_beta)
        elif params.predictor_type == "multilabel_classifier":
            scores = multilabel_scores(answers(), self.outputs, params.f_beta)
        else:
            scores = multiclass_scores(
                answers(), self.outputs, params.f_beta, params.accuracy_top_k
            )
        return {**scores, "objective_loss": sum(losses) / sum(weights)}

    def metric_fields(self) -> Mapping[str, Any]:
        params = self.params
        return {
            "objective": loss_of(params).objective,
            "beta": f"{params.f_beta:.3f}",
            "k": params.accuracy_top_k,
        }

    def save(self, folder: Path) -> None:
        additional = {
            "predictor_type": self.params.predictor_type,
            "loss": self.params.loss,
            "threshold": self.threshold,
            "class_weights": None if self.class_weights is None else self.class_weights.tolist(),
        }
        artifact.write(folder, artifact.Layer(self.weights, self.bias, self._head, additional))

    @classmethod
    def load(cls, folder: Path, params: Mapping[str, Any] | None = None) -> Self:
        layer = artifact.read(folder)
        settled = LinearLearnerHyperparameters.parse(params or _guessed(layer))
        threshold = layer.additional.get("threshold", 0.5)
        weights = layer.additional.get("class_weights")
        return cls(
            settled,
            layer.weights,
            layer.bias,
            float(threshold) if isinstance(threshold, (int, float)) else 0.5,
            np.array(weights, dtype=np.float32) if isinstance(weights, list) else None,
        )

    @classmethod
    def recognizes(cls, folder: Path) -> bool:
        return artifact.recognizes(folder)

    def summary(self) -> dict[str, Any]:
        """Coefficients (the thousand largest for wide models), bias, threshold, settings."""
        params = self.params
        told: dict[str, Any] = {
            "predictor_type": params.predictor_type,
            "loss": params.loss,
            "features": self.width,
            "bias": self.bias.tolist() if self.outputs > 1 else float(self.bias[0]),
        }
        if self.width * self.outputs <= _SHOWN_COEFFICIENTS:
            told["coefficients"] = (
                self.weights.tolist() if self.outputs > 1 else self.weights[0].tolist()
            )
        else:
            told["largest_coefficients"] = self._largest()
        if params.predictor_type == "multiclass_classifier":
            told["classes"] = self.outputs
        if params.predictor_type == "multilabel_classifier":
            told["labels"] = self.outputs
        if params.predictor_type == "binary_classifier":
            told["threshold"] = self.threshold
        names = ("optimizer", "learning_rate", "wd", "l1")
        return {**told, "winner": {name: getattr(params, name) for name in names}}

    def figures(self, held_out: Batch | None) -> list[Figure]:
        if held_out is None:
            return []
        answers = self._answers((held_out, "held out", 0))
        found = figures_of(self.params.predictor_type, answers, self.threshold)
        return [*found, effects(self.weights[0], held_out)] if self.outputs == 1 else found

    @property
    def _head(self) -> str:
        if self.params.predictor_type == "multiclass_classifier":
            return "softmax"
        return "sigmoid" if self.params.loss == "logistic" else "identity"

    def _largest(self) -> list[dict[str, float]]:
        flat = np.abs(self.weights).ravel()
        order = np.argsort(-flat, kind="stable")[:_SHOWN_COEFFICIENTS]
        rows, columns = np.unravel_index(order, self.weights.shape)
        return [
            {"output": int(row), "feature": int(column), "weight": float(self.weights[row, column])}
            for row, column in zip(rows, columns, strict=True)
        ]

    def _numbered(self, channel: Channel, epoch: int) -> Iterator[tuple[Batch, str, int]]:
        """Batches with the channel's name and the number of rows before them."""
        rows = max(64, min(8192, _CHUNK_NUMBERS // (self.width + self.outputs)))
        for batch, before in channel.numbered(rows, epoch):
            yield batch, channel.name, before

    def _answers(self, numbered: tuple[Batch, str, int]) -> Answers:
        batch, channel, first = numbered
        check_finite(features_of(batch, self.width, channel), channel, first)
        labelling = Labelling(self.params.predictor_type, self.outputs, self.class_weights)
        labels = labelling.checked(batch, channel, first)
        weights = labelling.weights(labels)
        own = checked_weights(batch, channel, first)
        if own is not None:
            weights = own if weights is None else weights * own
        margins = self.margins(batch)
        scores = self.scored(margins)
        loss = loss_of(self.params)
        inputs = np.array(margins.T[None] if loss.vector else margins.T, order="C")
        losses = loss.unit * loss.measure(inputs, labels)[0].astype(np.float64)
        predicted = np.zeros(0, dtype=np.int64)
        if self.params.predictor_type != "regressor":
            predicted = self.labelled(scores)
        if weights is None:
            return Answers(labels, scores, predicted, float(losses.sum()), float(batch.rows))
        return Answers(
            labels, scores, predicted, float(losses @ weights), float(weights.sum(dtype=np.float64))
        )


def sigmoid(margins: Floats) -> Floats:
    """1 / (1 + exp(-margin)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * margins)), dtype=np.float32)


def _guessed(layer: artifact.Layer) -> dict[str, Any]:
    """Hyperparameters of a layer made elsewhere, as far as they can be told."""
    kind = layer.additional.get("predictor_type")
    if kind not in LOSSES:
        kind = "binary_classifier" if layer.head == "sigmoid" else "regressor"
        if len(layer.weights) > 1:
            kind = "multiclass_classifier"
    loss = layer.additional.get("loss")
    if len(layer.weights) > 1 and kind in {"binary_classifier", "regressor"}:
        raise CallerError.of(artifact.NAME, f"a {kind} has one output", len(layer.weights))
    classes = {"num_classes": len(layer.weights)} if kind == "multiclass_classifier" else {}
    return {
        "predictor_type": kind,
        "loss": loss if loss in LOSSES[kind] else LOSSES[kind][0],
        "feature_dim": layer.weights.shape[1],
        **classes,
    }
