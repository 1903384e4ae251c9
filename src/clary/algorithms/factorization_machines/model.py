"""A trained factorization machine: a bias, and for each feature a weight and a vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.factorization_machines import artifact, kernels
from clary.algorithms.factorization_machines.entries import entries_of
from clary.algorithms.factorization_machines.figures import effects, figures_of
from clary.algorithms.factorization_machines.scores import THRESHOLD, chances, scores_of, tally
from clary.algorithms.factorization_machines.spec import (
    ALGORITHM,
    FactorizationMachinesHyperparameters,
)
from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.kit.figures import Figure
from clary.kit.labels import checked_labels, checked_weights
from clary.kit.model import Model, Outputs, check_width
from clary.kit.parallel import ordered_map
from clary.spec.algorithm import Algorithm

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
# Columns, values, where rows begin and end
_Csr: TypeAlias = tuple[npt.NDArray[np.int32], Floats, npt.NDArray[Any]]

_EVALUATED_ROWS = _CHUNK_ROWS = 4096
_SHOWN = 20
_SHOWN_CHUNK = 2**16


@dataclass(frozen=True)
class FactorizationMachinesModel(Model):
    """bias: one number; linear: (width,); factors: (width, k)."""

    params: FactorizationMachinesHyperparameters
    bias: float
    linear: Floats
    factors: Floats

    algorithm: ClassVar[Algorithm] = ALGORITHM

    @property
    def width(self) -> int:
        return len(self.linear)

    def predict(self, batch: Batch) -> Outputs:
        check_width(self, batch)
        margins = self.margins(batch)
        if self.params.predictor_type == "regressor":
            return {"score": margins}
        score = chances(margins)
        return {"score": score, "predicted_label": (score >= THRESHOLD).astype(np.int64)}

    def margins(self, batch: Batch) -> Floats:
        """(rows,): the prediction of regressors, the log odds of label 1 of classifiers."""
        x = batch.sparse()
        columns = x.indices.astype(np.int32, copy=False)
        rows = (columns, x.data, x.indptr)
        if batch.rows <= _CHUNK_ROWS:
            return self._scored(rows, np.arange(batch.rows))
        starts = range(0, batch.rows, _CHUNK_ROWS)
        chunks = (np.arange(at, min(at + _CHUNK_ROWS, batch.rows)) for at in starts)
        return np.concatenate(list(ordered_map(partial(self._scored, rows), chunks)))

    def evaluate(self, channel: Channel) -> dict[str, float]:
        total = sum(ordered_map(self._tally, self._numbered(channel)))
        scores = scores_of(self.params.predictor_type, np.asarray(total))
        return {f"test:{name}": value for name, value in scores.items()}

    def save(self, folder: Path) -> None:
        told = {name: value for name, value in self.params.values().items() if value is not None}
        binary = self.params.predictor_type == "binary_classifier"
        artifact.write(folder, artifact.Parts(self.bias, self.linear, self.factors, binary, told))

    @classmethod
    def load(cls, folder: Path, params: Mapping[str, Any] | None = None) -> Self:
        parts = artifact.read(folder)
        settled = FactorizationMachinesHyperparameters.parse(params or _guessed(parts))
        return cls(settled, parts.bias, parts.linear, parts.factors)

    @classmethod
    def recognizes(cls, folder: Path) -> bool:
        return artifact.recognizes(folder)

    def summary(self) -> dict[str, Any]:
        """The bias, the features with the largest weights, and those with the longest vectors."""
        lengths = self.lengths()
        largest, longest = _most(np.abs(self.linear)), _most(lengths)
        return {
            "predictor_type": self.params.predictor_type,
            "features": self.width,
            "factors": int(self.factors.shape[1]),
            "bias": self.bias,
            "largest_weights": [
                {"feature": int(one), "weight": float(self.linear[one])} for one in largest
            ],
            "longest_vectors": [
                {"feature": int(one), "length": float(lengths[one])} for one in longest
            ],
        }

    def lengths(self) -> Floats:
        """(width,): Euclidean lengths of the features' vectors."""
        found = np.empty(self.width, np.float32)
        for start in range(0, self.width, _SHOWN_CHUNK):
            part = self.factors[start : start + _SHOWN_CHUNK]
            np.sqrt(np.einsum("ij,ij->i", part, part), out=found[start : start + _SHOWN_CHUNK])
        return found

    def figures(self, held_out: Batch | None) -> list[Figure]:
        found = effects(self.linear, self.lengths())
        if held_out is None or not held_out.rows:
            return found
        score = np.asarray(self.predict(held_out)["score"])
        label = checked_labels(held_out, self.params.predictor_type, "held out")
        return [*figures_of(self.params.predictor_type, label, score), *found]

    def _scored(self, rows: _Csr, chosen: npt.NDArray[np.intp]) -> Floats:
        """(chosen,) scores of some of the rows of a CSR."""
        found = np.empty(len(chosen), np.float32)
        sums = np.empty((len(chosen), self.factors.shape[1]), np.float32)
        bias, linear = np.float32(self.bias), self.linear[:, None]
        kernels.scores(*rows, chosen, bias, linear, self.factors, sums, found, 0, len(chosen))
        return found

    def _numbered(self, channel: Channel) -> Iterator[tuple[Batch, str, int]]:
        """Batches with the channel's name and the number of rows before them."""
        for batch, before in channel.numbered(_EVALUATED_ROWS):
            yield batch, channel.name, before

    def _tally(self, numbered: tuple[Batch, str, int]) -> Doubles:
        batch, name, before = numbered
        rows = Batch(entries_of(batch, self.width, name, before))
        label = checked_labels(batch, self.params.predictor_type, name, before)
        weights = checked_weights(batch, name, before)
        return tally(self.params.predictor_type, label, self.margins(rows), weights)


def _most(values: Floats) -> npt.NDArray[np.intp]:
    """The places of the largest, the largest first."""
    return np.argsort(-values, kind="stable")[:_SHOWN]


def _guessed(parts: artifact.Parts) -> dict[str, Any]:
    """Hyperparameters of a model made elsewhere, as far as its files tell them."""
    declared = FactorizationMachinesHyperparameters.declared()
    told = {name: value for name, value in parts.told.items() if name in declared}
    sure = {
        "predictor_type": "binary_classifier" if parts.binary else "regressor",
        "feature_dim": len(parts.linear),
        "num_factors": parts.factors.shape[1],
    }
    return told | sure
