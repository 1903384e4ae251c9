"""A trained k-means model: its centers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from clary.algorithms.kmeans.assignment import Doubles, Nearest, Rows
from clary.algorithms.kmeans.figures import center_heatmap, cluster_sizes, distances, scatter
from clary.algorithms.kmeans.spec import ALGORITHM, KMeansHyperparameters
from clary.codecs import ndarray_list
from clary.codecs.batch import Batch, Floats
from clary.data.channel import Channel
from clary.errors import CallerError
from clary.kit.figures import Figure, Lines
from clary.kit.model import Model, Outputs, check_width
from clary.kit.parallel import ordered_map
from clary.kit.width import widened
from clary.spec.algorithm import Algorithm

T = TypeVar("T")

_CENTERS = "model_algo-1"
# Clary's own, beside SageMaker's file
_SIZES = ".cluster_sizes.json"
_EVALUATED_ROWS = 16384


class KMeansModel(Model):
    """centers: (k, width) float32.

    sizes: (k,), the weight of each cluster's training rows; None for models made elsewhere.
    """

    algorithm: ClassVar[Algorithm] = ALGORITHM
    params: KMeansHyperparameters

    def __init__(
        self,
        centers: Floats,
        params: KMeansHyperparameters,
        sizes: Doubles | None = None,
        elbow: Lines | None = None,
    ) -> None:
        self.centers = centers
        self.params = params
        self.sizes = sizes
        self._elbow = elbow
        origin = centers.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._nearest = Nearest(centers.astype(np.float64) - origin, origin)

    @property
    def width(self) -> int:
        return int(self.centers.shape[1])

    def predict(self, batch: Batch) -> Outputs:
        """Distances are Euclidean, not squared."""
        none = (np.zeros(0, np.intp), np.zeros(0))
        labels, squares = zip(none, *self._over_chunks(batch, self._nearest.find), strict=True)
        return {
            "closest_cluster": np.concatenate(labels).astype(np.float32),
            "distance_to_cluster": np.sqrt(np.concatenate(squares)).astype(np.float32),
        }

    def distances(self, batch: Batch) -> Floats:
        """(rows, k), Euclidean, to all centers."""
        none = np.zeros((0, len(self.centers)), np.float32)
        return np.concatenate([none, *self._over_chunks(batch, self._nearest.distances)])

    def evaluate(self, channel: Channel) -> dict[str, float]:
        loss = weight = 0.0
        for batch in channel.batches(_EVALUATED_ROWS):
            weights = np.ones(batch.rows) if batch.weights is None else batch.weights
            distances = self.predict(batch)["distance_to_cluster"].astype(np.float64)
            loss += float(distances**2 @ weights)
            weight += float(weights.sum(dtype=np.float64))
        scores = {"msd": loss / weight, "ssd": loss}
        return {f"test:{name}": scores[name] for name in self.params.eval_metrics}

    def save(self, folder: Path) -> None:
        ndarray_list.write(folder / _CENTERS, [self.centers])
        if self.sizes is not None:
            (folder / _SIZES).write_text(json.dumps(self.sizes.tolist()) + "\n")

    @classmethod
    def load(cls, folder: Path, params: Mapping[str, Any] | None = None) -> Self:
        path = folder / _CENTERS
        if not path.exists():
            raise CallerError.of(f"model {folder}", f"has no file {_CENTERS}")
        arrays = ndarray_list.read(path)
        if not isinstance(arrays, list) or not _are_centers(arrays):
            rule = "must hold one unnamed array of centers, k x feature_dim, all finite"
            raise CallerError.of(f"model file {path}", rule)
        centers = np.ascontiguousarray(arrays[0], dtype=np.float32)
        if params is None:
            params = {"k": centers.shape[0], "feature_dim": centers.shape[1]}
        return cls(centers, KMeansHyperparameters.parse(params), _sizes(folder, len(centers)))

    @classmethod
    def recognizes(cls, folder: Path) -> bool:
        path = folder / _CENTERS
        try:
            return path.exists() and _are_centers(ndarray_list.read(path))
        except CallerError:
            return False

    def summary(self) -> dict[str, Any]:
        told: dict[str, Any] = {"k": len(self.centers), "features": self.width}
        if self.sizes is not None:
            told["cluster_sizes"] = [round(size, 3) for size in self.sizes.tolist()]
        return told | {"centers": self.centers.tolist()}

    def figures(self, held_out: Batch | None) -> list[Figure]:
        found: list[Figure] = [] if self._elbow is None else [self._elbow]
        if self.sizes is not None:
            found.append(cluster_sizes(self.sizes))
        if held_out is not None and held_out.rows:
            answers = self.predict(held_out)
            clusters, apart = answers["closest_cluster"], answers["distance_to_cluster"]
            found.append(distances(apart))
            found.append(scatter(held_out, self.centers, clusters, apart))
        return [*found, center_heatmap(self.centers)]

    def _over_chunks(self, batch: Batch, work: Callable[[Rows], T]) -> Iterable[T]:
        check_width(self, batch)
        chunks = list(Rows(widened(batch.features, self.width)).chunks())
        # The rows of a usual request are not worth threads
        return map(work, chunks) if len(chunks) == 1 else ordered_map(work, chunks)


def _are_centers(arrays: ndarray_list.Arrays) -> bool:
    if not isinstance(arrays, list) or len(arrays) != 1 or arrays[0].ndim != 2:
        return False
    return arrays[0].size > 0 and bool(np.isfinite(arrays[0]).all())


def _sizes(folder: Path, k: int) -> Doubles | None:
    path = folder / _SIZES
    if not path.exists():
        return None
    try:
        sizes = np.array(json.loads(path.read_text()), dtype=np.float64)
    except (ValueError, TypeError, RecursionError):
        sizes = np.zeros(0)
    if sizes.shape != (k,):
        raise CallerError.of(f"model file {path}", f"must hold a list of {k} numbers")
    return sizes
