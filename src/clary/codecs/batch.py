"""The one thing that travels: rows of features with their labels and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import csr_array, vstack

from clary.errors import CallerError

Floats: TypeAlias = npt.NDArray[np.float32]
Features: TypeAlias = "Floats | csr_array | pa.RecordBatch"


@dataclass(frozen=True)
class Batch:
    """Rows, in order.

    features: (rows, width) float32, dense and C-contiguous, or CSR; or the columns of rows that are
        not numbers, as Arrow has them.
    label: (rows,) float32, or (rows, label_size) where there are several label columns, or None.
    weights: (rows,) float32 or None, meaning 1.
    extras: further arrays of one entry a row, by name.
    """

    features: Features
    label: Floats | None = None
    weights: Floats | None = None
    extras: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return int(self.features.shape[0])

    @property
    def width(self) -> int:
        return int(self.features.shape[1])

    @property
    def is_sparse(self) -> bool:
        return isinstance(self.features, csr_array)

    @property
    def has_columns(self) -> bool:
        """Whether the rows are not numbers."""
        return isinstance(self.features, pa.RecordBatch)

    @property
    def nbytes(self) -> int:
        """Bytes of features and label held."""
        x = self.features
        size = _csr_bytes(x) if isinstance(x, csr_array) else x.nbytes
        return int(size) + (0 if self.label is None else int(self.label.nbytes))

    def dense(self) -> Floats:
        """The features as a dense array; a copy only where they are sparse."""
        if isinstance(self.features, np.ndarray):
            return self.features
        return np.ascontiguousarray(self.features.toarray(), dtype=np.float32)

    def sparse(self) -> csr_array:
        """The features as CSR; a copy only where they are dense."""
        return csr_array(self.features) if isinstance(self.features, np.ndarray) else self.features

    def columns(self) -> list[pa.Array]:
        """The columns of rows that are not numbers."""
        assert isinstance(self.features, pa.RecordBatch)
        found: list[pa.Array] = self.features.columns
        return found

    def labels(self) -> Floats:
        """The label, which must be there.

        Raises:
            CallerError: the rows have none.
        """
        if self.label is None:
            raise CallerError.of("label", "every row needs one and these rows have none")
        return self.label

    def refuse_extras(self, format_name: str) -> None:
        """Rows can be written in a format that has a place for features and label only.

        Raises:
            CallerError: they have weights or extras, which would be lost.
        """
        beyond = [*(["weights"] if self.weights is not None else []), *self.extras]
        if beyond:
            raise CallerError.of(f"{format_name}", f"has no place for {', '.join(beyond)}")

    def slice(self, start: int, stop: int) -> Batch:
        """Rows start to stop (exclusive), as views where the features are dense."""
        cut = slice(start, stop)
        return replace(
            self,
            features=self.features[cut],
            label=None if self.label is None else self.label[cut],
            weights=None if self.weights is None else self.weights[cut],
            extras={name: values[cut] for name, values in self.extras.items()},
        )


def concatenate(batches: Sequence[Batch]) -> Batch:
    """The rows of several batches as one.

    Batches of different widths (sparse ones, from formats without a declared width) are widened.
    Dense and sparse together become sparse.
    """
    if len(batches) == 1:
        return batches[0]
    first = batches[0]
    return Batch(
        features=_stacked([batch.features for batch in batches]),
        label=_joined([batch.label for batch in batches]),
        weights=_joined([batch.weights for batch in batches]),
        extras={
            name: np.concatenate([batch.extras[name] for batch in batches]) for name in first.extras
        },
    )


def _stacked(parts: Sequence[Features]) -> Features:
    if isinstance(parts[0], pa.RecordBatch):
        return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]
    dense = [part for part in parts if isinstance(part, np.ndarray)]
    if len(dense) == len(parts):
        return np.concatenate(dense)
    width = max(int(part.shape[1]) for part in parts)
    sparse = [csr_array(part, copy=False) for part in parts]
    widened = [
        part
        if part.shape[1] == width
        else csr_array((part.data, part.indices, part.indptr), shape=(part.shape[0], width))
        for part in sparse
    ]
    return csr_array(vstack(widened, format="csr"), dtype=np.float32)


def _joined(parts: Sequence[Floats | None]) -> Floats | None:
    present = [part for part in parts if part is not None]
    if len(present) not in {0, len(parts)}:
        raise CallerError.of("label", "either every row has one or none has")
    return np.concatenate(present) if present else None


def _csr_bytes(x: csr_array) -> int:
    return int(x.data.nbytes + x.indices.nbytes + x.indptr.nbytes)
