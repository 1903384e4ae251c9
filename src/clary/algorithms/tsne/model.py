"""A map of rows, into which new rows are placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy.typing as npt

from clary.algorithms.tsne import artifact
from clary.algorithms.tsne.figures import maps, shown_rows
from clary.algorithms.tsne.neighbors import Integers
from clary.algorithms.tsne.placing import Placing
from clary.algorithms.tsne.reduction import Reduction
from clary.algorithms.tsne.spec import ALGORITHM, TSNEHyperparameters
from clary.algorithms.tsne.trust import Trust
from clary.codecs.batch import Batch, Floats
from clary.data.channel import Channel
from clary.kit.figures import Figure
from clary.kit.model import Model, Outputs, check_width
from clary.kit.width import widened
from clary.spec.algorithm import Algorithm

_EVALUATED_ROWS = 4096


class TSNEModel(Model):
    """rows: (count, reduced) float32, as compared. places: (count, num_components) float32.

    numbers: (count,), each row's place in the training data. label: (count,) or None.
    words: what the picture says of each row that it shows; only after training.
    everywhere: (all training rows, num_components); only after training.
    """

    algorithm: ClassVar[Algorithm] = ALGORITHM
    params: TSNEHyperparameters

    def __init__(
        self,
        params: TSNEHyperparameters,
        reduction: Reduction,
        rows: Floats,
        places: Floats,
        numbers: Integers,
        label: Floats | None,
    ) -> None:
        self.params = params
        self.reduction = reduction
        self.rows = rows
        self.places = places
        self.numbers = numbers
        self.label = label
        self.words: Sequence[str] = ()
        self.everywhere: Floats | None = None

    @property
    def width(self) -> int:
        return self.reduction.width

    def predict(self, batch: Batch) -> Outputs:
        return {"embedding": self.place(self._reduced(batch))}

    def place(self, rows: Floats) -> Floats:
        """(rows, num_components), of rows that are reduced already."""
        return self._placing.place(rows)

    def evaluate(self, channel: Channel) -> dict[str, float]:
        total, rows = 0.0, 0
        for batch in channel.batches(_EVALUATED_ROWS):
            reduced = self._reduced(batch)
            scores = self._trust.of_placed(reduced, self.place(reduced))
            total, rows = total + float(scores.sum()), rows + batch.rows
        return {"test:trustworthiness": total / rows}

    def trustworthiness(self) -> float:
        """Of the map itself."""
        return self._trust.of_map()

    def save(self, folder: Path) -> None:
        arrays: dict[str, npt.NDArray[Any] | None] = {
            "rows": self.rows,
            "map": self.places,
            "numbers": self.numbers,
            "label": self.label,
            "center": self.reduction.center,
            "axes": self.reduction.axes,
        }
        there = {name: array for name, array in arrays.items() if array is not None}
        artifact.write(folder, there, self.params)

    @classmethod
    def load(cls, folder: Path, params: Mapping[str, Any] | None = None) -> Self:
        arrays, settled = artifact.read(folder, params)
        unit = settled.metric == "cosine"
        return cls(
            settled,
            Reduction(arrays["center"], arrays.get("axes"), unit),
            arrays["rows"],
            arrays["map"],
            arrays["numbers"],
            arrays.get("label"),
        )

    @classmethod
    def recognizes(cls, folder: Path) -> bool:
        return artifact.is_there(folder)

    def summary(self) -> dict[str, Any]:
        return {
            "rows": len(self.rows),
            "features": self.width,
            "features_compared": self.rows.shape[1],
            "dimensions": self.places.shape[1],
            "labelled": self.label is not None,
            "from": self.places.min(axis=0).tolist(),
            "to": self.places.max(axis=0).tolist(),
        }

    def figures(self, held_out: Batch | None) -> list[Figure]:
        shown = self.numbers[shown_rows(len(self.numbers))]
        words = self.words or [f"row {one}" for one in shown]
        return [*maps(self.places, self.label, words)]

    @cached_property
    def _placing(self) -> Placing:
        return Placing(self.rows, self.places, self.params.metric)

    @cached_property
    def _trust(self) -> Trust:
        return Trust(self.rows, self.places)

    def _reduced(self, batch: Batch) -> Floats:
        check_width(self, batch)
        return self.reduction.reduced(widened(batch.features, self.width))
