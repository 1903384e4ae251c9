"""Principal components as SageMaker keeps them: from the smallest to the largest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clary.algorithms.pca.moments import chunk_rows
from clary.algorithms.pca.spec import ALGORITHM, PCAHyperparameters
from clary.codecs import ndarray_list
from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.errors import CallerError
from clary.kit.figures import Bars, Figure, Heatmap, Lines, Points
from clary.kit.model import Model, Outputs, check_width
from clary.kit.parallel import ordered_map
from clary.spec.algorithm import Algorithm

_FILE = "model_algo-1"
# The total variance, which SageMaker's file does not hold.
_STATISTICS = ".statistics.json"
_SHOWN_COMPONENTS = 12
_SHOWN_FEATURES = 40
_SHOWN_POINTS = 1500


class PCAModel(Model):
    """Components.

    mean: (width,) float32, or None where the data is not centered.
    v: (width, num_components) float32, orthonormal columns. s: (num_components,) singular values of
    the (centered) data. Both ascend: the first principal component is the last.
    variance: sum of the squared lengths of the (centered) training rows; None if not known.
    """

    algorithm: ClassVar[Algorithm] = ALGORITHM

    def __init__(
        self,
        params: PCAHyperparameters,
        mean: npt.NDArray[np.float32] | None,
        v: npt.NDArray[np.float32],
        s: npt.NDArray[np.float32],
        variance: float | None,
    ) -> None:
        self.params = params
        self.mean = mean
        self.v = v
        self.s = s
        self.variance = variance

    @property
    def width(self) -> int:
        return int(self.v.shape[0])

    @property
    def explained_share(self) -> float | None:
        """Share of the training rows' variance that the components keep."""
        if not self.variance:
            return None
        return min(1.0, float(np.sum(self.s.astype(np.float64) ** 2)) / self.variance)

    def predict(self, batch: Batch) -> Outputs:
        check_width(self, batch)
        if batch.is_sparse:
            # Rows without a declared width may be narrower: what they lack is 0
            return {"projection": batch.sparse() @ self.v[: batch.width] - self._offset()}
        x = batch.dense()
        return {"projection": (x if self.mean is None else x - self.mean) @ self.v}

    def evaluate(self, channel: Channel) -> dict[str, float]:
        kept = total = 0.0
        for part in ordered_map(self._energies, channel.batches(chunk_rows(self.width))):
            kept, total = kept + part[0], total + part[1]
        return {"test:explained_variance": kept / total if total else 1.0}

    def save(self, folder: Path) -> None:
        arrays = {} if self.mean is None else {"mean": self.mean[np.newaxis]}
        ndarray_list.write(folder / _FILE, {**arrays, "v": self.v, "s": self.s})
        (folder / _STATISTICS).write_text(json.dumps({"variance": self.variance}))

    @classmethod
    def load(cls, folder: Path, params: Mapping[str, Any] | None = None) -> Self:
        if not (folder / _FILE).exists():
            raise CallerError.of(f"model {folder}", f"has no file {_FILE}")
        arrays = ndarray_list.read(folder / _FILE)
        if not isinstance(arrays, dict) or not {"v", "s"} <= set(arrays):
            raise CallerError.of(str(folder / _FILE), "must hold the arrays v and s (and mean)")
        v, s, mean = arrays["v"], arrays["s"], arrays.get("mean")
        if v.ndim != 2 or s.shape != (v.shape[1],) or (mean is not None and mean.size != len(v)):
            shapes = {name: array.shape for name, array in arrays.items()}
            raise CallerError.of(str(folder / _FILE), "the shapes of mean, v and s differ", shapes)
        known = params or {
            "feature_dim": len(v),
            "num_components": len(s),
            "subtract_mean": mean is not None,
        }
        return cls(
            PCAHyperparameters.parse(known),
            None if mean is None else mean.reshape(-1).astype(np.float32),
            v.astype(np.float32),
            s.astype(np.float32),
            _variance(folder),
        )

    @classmethod
    def recognizes(cls, folder: Path) -> bool:
        try:
            arrays = ndarray_list.read(folder / _FILE)
        except (CallerError, OSError):
            return False
        return isinstance(arrays, dict) and {"v", "s"} <= set(arrays)

    def summary(self) -> dict[str, Any]:
        shares = self._shares()
        return {
            "feature_dim": self.width,
            "num_components": len(self.s),
            "explained_variance_share": self.explained_share,
            "singular_values": self.s.tolist(),
            "explained_variance_shares": None if shares is None else shares.tolist(),
            "mean": None if self.mean is None else self.mean.tolist(),
            "components": self.v.T.tolist(),
        }

    def figures(self, held_out: Batch | None) -> list[Figure]:
        figures: list[Figure] = [self._scree(), self._cumulated(), self._loadings()]
        if held_out is not None and len(self.s) > 1:
            figures.append(self._map(held_out.slice(0, _SHOWN_POINTS)))
        return figures

    def _energies(self, batch: Batch) -> tuple[float, float]:
        """Squared lengths of the rows' projections, and of the rows."""
        projection = self.predict(batch)["projection"]
        kept = np.einsum("ij,ij->", projection, projection, dtype=np.float64)
        return float(kept), self._squares(batch)

    def _squares(self, batch: Batch) -> float:
        """Sum of the rows' squared distances from the mean."""
        mean = np.zeros(self.width) if self.mean is None else self.mean.astype(np.float64)
        if not batch.is_sparse:
            x = batch.dense() - mean
            return float(np.einsum("ij,ij->", x, x))
        x = batch.sparse().astype(np.float64)
        across = float(x.sum(axis=0) @ mean[: batch.width])
        return float(x.data @ x.data) - 2 * across + batch.rows * float(mean @ mean)

    def _offset(self) -> npt.NDArray[np.float32]:
        zero = np.zeros(len(self.s), dtype=np.float32)
        return zero if self.mean is None else np.asarray(self.mean @ self.v, dtype=np.float32)

    def _shares(self) -> npt.NDArray[np.float64] | None:
        """Each component's share of the variance."""
        return self.s.astype(np.float64) ** 2 / self.variance if self.variance else None

    def _descending(self) -> npt.NDArray[np.float64]:
        shares = self._shares()
        return (self.s.astype(np.float64) ** 2 if shares is None else shares)[::-1]

    def _scree(self) -> Bars:
        values = self._descending()[:60]
        label = "share of variance" if self.variance else "squared singular value"
        names = [str(place + 1) for place in range(len(values))]
        return Bars("Scree plot", names, values.tolist(), "component", label)

    def _cumulated(self) -> Lines:
        values = np.cumsum(self._descending())
        label = "share of variance kept" if self.variance else "sum of squared singular values"
        places = [float(place + 1) for place in range(len(values))]
        series = {"kept": (places, values.tolist())}
        return Lines("Variance kept", "components", label, series)

    def _loadings(self) -> Heatmap:
        components = self.v[:, ::-1][:, :_SHOWN_COMPONENTS]
        weight = np.abs(components).max(axis=1)
        features = np.sort(np.argsort(-weight, kind="stable")[:_SHOWN_FEATURES])
        few = self.width <= _SHOWN_FEATURES
        return Heatmap(
            "Loadings",
            [f"component {place + 1}" for place in range(components.shape[1])],
            [str(feature) for feature in features],
            components[features].T.tolist(),
            x_label="feature",
            caption="How much each feature counts in each component, the largest first."
            + ("" if few else f" The {_SHOWN_FEATURES} features that count most."),
        )

    def _map(self, rows: Batch) -> Points:
        projection = np.asarray(self.predict(rows)["projection"])
        return Points(
            "Rows on the first two components",
            "first component",
            "second component",
            projection[:, -1].tolist(),
            projection[:, -2].tolist(),
        )


def _variance(folder: Path) -> float | None:
    path = folder / _STATISTICS
    if not path.exists():
        return None
    value = json.loads(path.read_text()).get("variance")
    return None if value is None else float(value)
