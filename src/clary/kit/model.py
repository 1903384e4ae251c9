"""What every trained model is, and what it shows of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.errors import CallerError
from clary.kit.figures import Figure
from clary.spec.algorithm import Algorithm
from clary.spec.hyperparameters import Hyperparameters

Outputs: TypeAlias = Mapping[str, npt.NDArray[Any]]


class Model(ABC):
    """A trained model: state in arrays, and what it can do.

    `params` are the hyperparameters it was trained with, all settled; for a model made elsewhere,
    as many as its files tell.
    """

    algorithm: ClassVar[Algorithm]
    # Names of files that users may edit after the training
    editable: ClassVar[frozenset[str]] = frozenset()
    params: Hyperparameters

    @property
    @abstractmethod
    def width(self) -> int:
        """Number of features a row must have."""

    @abstractmethod
    def predict(self, batch: Batch) -> Outputs:
        """The named answers, each of shape (rows,) or (rows, length).

        Raises:
            CallerError: the rows do not fit the model.
        """

    def following(self) -> Model:
        """A model for the rows of one stream, which come in order over several calls of `predict`.

        It is the model itself where each row's answer depends on that row alone.
        """
        return self

    @abstractmethod
    def evaluate(self, channel: Channel) -> dict[str, float]:
        """The scores of the `test:` metrics on labelled rows (or rows, if unsupervised).

        Keys are declared metric names.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the model's files into an existing folder; the same model gives the same bytes."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, params: Mapping[str, Any] | None = None) -> Self:
        """The model of a folder.

        `params` are the settled hyperparameters from Clary's manifest; None for a model made
        elsewhere.

        Raises:
            CallerError: the files are not such a model, or are damaged.
        """

    @classmethod
    @abstractmethod
    def recognizes(cls, folder: Path) -> bool:
        """Whether a folder without Clary's manifest looks like this algorithm's model."""

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """The model in readable form, JSON-able: coefficients, centroids, components, …"""

    def metric_fields(self) -> Mapping[str, Any]:
        """What the log lines of the test metrics need beside the value (`objective`, …)."""
        return {}

    def remarks(self) -> Sequence[str]:
        """What is to be said of the rows that were evaluated last, beside the scores."""
        return ()

    def figures(self, held_out: Batch | None) -> list[Figure]:
        """What the report page shows of the model; `held_out` are rows it may be tried on."""
        return []


class StreamModel(Model):
    """A model that goes on learning from a stream, row by row."""

    @classmethod
    @abstractmethod
    def empty(cls, params: Hyperparameters, seed: int = 0) -> Self:
        """A model that has seen no row yet; `feature_dim` is settled in its hyperparameters."""

    @abstractmethod
    def follow(self, row: npt.NDArray[np.float32], *, verbose: bool = False) -> Outputs:
        """The answers to the next row, (width,), which then becomes part of the model.

        Raises:
            CallerError: the row does not fit; the model stays as it was.
        """

    @abstractmethod
    def changed(self, given: Mapping[str, Any]) -> None:
        """Take other hyperparameters from here on.

        Raises:
            CallerError: one of them cannot be changed in a model that is there.
        """


def check_width(model: Model, batch: Batch) -> None:
    """Refuse rows that have another number of features than the model.

    Sparse rows without a declared width may be narrower.
    """

    narrower = batch.is_sparse and batch.width < model.width
    if batch.width != model.width and not narrower:
        raise CallerError.of(
            "features",
            f"the model takes {model.width} a row",
            batch.width,
            "Leave out the label and index columns.",
        )
