"""A k-NN model: a sample of rows in a faiss index, and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import faiss
import numpy as np

from clary import settings
from clary.algorithms.knn import artifact
from clary.algorithms.knn.figures import figures_of
from clary.algorithms.knn.index import Searcher
from clary.algorithms.knn.nearest import Doubles, Floats
from clary.algorithms.knn.reduction import Reduction
from clary.algorithms.knn.sample import dense, finite_labels
from clary.algorithms.knn.spec import ALGORITHM, KNNHyperparameters
from clary.algorithms.knn.votes import Scores, answered, shares
from clary.codecs.batch import Batch, Features
from clary.data.channel import Channel
from clary.errors import CallerError
from clary.kit.figures import Figure
from clary.kit.model import Model, Outputs, check_width
from clary.kit.parallel import spread
from clary.kit.width import widened
from clary.spec.algorithm import Algorithm

_CHUNK_ROWS, _CHUNK_NUMBERS = 512, 1 << 22
# Pairs of rows from which on threads are worth their start
_MANY_PAIRS = 1 << 22


class KNNModel(Model):
    """index: of the sampled rows, reduced and normalized. labels: (rows of the index,) float32.

    normalize: whether rows are scaled to length 1, for the cosine. leave_out: whether rows held out
    are of the sample, so that figures must not let a row be its own neighbor.
    """

    algorithm: ClassVar[Algorithm] = ALGORITHM
    editable: ClassVar[frozenset[str]] = frozenset({artifact.SETTINGS})
    params: KNNHyperparameters

    def __init__(
        self,
        params: KNNHyperparameters,
        index: Any,
        labels: Floats,
        reduction: Reduction | None,
        normalize: bool,
        *,
        leave_out: bool = False,
    ) -> None:
        self.params = params
        self.labels = labels
        self.reduction = reduction
        self.normalize = normalize
        self.searcher = Searcher(index)
        self._leave_out = leave_out

    @property
    def width(self) -> int:
        if self.reduction:
            return self.reduction.width
        return self.params.feature_dim or self.searcher.width

    @cached_property
    def classes(self) -> Floats:
        """The labels that there are, each once, ascending."""
        return np.unique(self.labels)

    def predict(self, batch: Batch) -> Outputs:
        """Distances are Euclidean, not squared; with INNER_PRODUCT the negative product, with
        COSINE 1 - cosine.
        """
        distances, labels = self.neighbors(batch, self.params.k)
        return {
            "predicted_label": answered(labels, self.params.predictor_type),
            "distances": distances,
            "labels": labels,
        }

    def neighbors(self, batch: Batch, k: int) -> tuple[Floats, Floats]:
        """Distances of each row to its neighbors, and their labels: both (rows, k)."""
        distances, places = self.nearest(batch, k)
        return distances, self.labels[places]

    def nearest(self, batch: Batch, k: int) -> tuple[Floats, np.ndarray[Any, np.dtype[np.int64]]]:
        """Distances of each row to its neighbors, and which of the sample they are: both (rows, k).

        Raises:
            CallerError: rows of another width, or k is above the number of sampled rows.
        """
        check_width(self, batch)
        if not 1 <= k <= self.searcher.rows:
            rule = f"must be from 1 to the rows of the sample, {self.searcher.rows}"
            raise CallerError.of("k", rule, k)
        features = widened(batch.features, self.width)
        # Answers do not depend on the cuts
        shares = settings.threads() if batch.rows * self.searcher.rows > _MANY_PAIRS else 1
        some = max(1, min(_CHUNK_ROWS, _CHUNK_NUMBERS // self.width, -(-batch.rows // shares)))
        cuts = [features[start : start + some] for start in range(0, batch.rows, some)]
        none = (np.zeros((0, k), np.float32), np.zeros((0, k), np.int64))
        parts = spread(lambda cut: self._found(cut, k), cuts)
        distances, places = zip(none, *parts, strict=True)
        return np.concatenate(distances), np.concatenate(places)

    def shares(self, batch: Batch) -> Floats:
        """(rows, classes): each class's share of the neighbors."""
        return shares(self.neighbors(batch, self.params.k)[1], self.classes)

    def evaluate(self, channel: Channel) -> dict[str, float]:
        scores = Scores(self.params.predictor_type)
        for batch, before in channel.numbered(max(self.params.mini_batch_size, _CHUNK_ROWS)):
            labels = finite_labels(batch, channel.name, before)
            scores.add(labels, self.predict(batch)["predicted_label"])
        return scores.metrics()

    def save(self, folder: Path) -> None:
        params = self.params
        told = artifact.Settings(params.k, params.predictor_type, self.reduction, self.normalize)
        artifact.write(folder, self.searcher.index, self.labels, told)

    @classmethod
    def load(cls, folder: Path, params: Mapping[str, Any] | None = None) -> Self:
        index, labels, told = artifact.read(folder)
        if params is None and told.reduction:
            raise CallerError.of(
                f"model {folder}",
                "rows are reduced by numbers drawn from a seed, and how is not known of a model "
                "without Clary's file .clary.json",
                remedy="Keep that file beside the others; of SageMaker's models only those without "
                "dimension reduction can be used.",
            )
        known = KNNHyperparameters.parse(params or _guessed(index, told))
        settled = known.having(k=told.k, predictor_type=told.predictor_type)
        return cls(settled, index, labels, told.reduction, told.normalize)

    @classmethod
    def recognizes(cls, folder: Path) -> bool:
        return artifact.recognizes(folder)

    def summary(self) -> dict[str, Any]:
        params = self.params
        told: dict[str, Any] = {
            "k": params.k,
            "predictor_type": params.predictor_type,
            "rows": self.searcher.rows,
            "features": self.width,
            "index_type": params.index_type,
            "index_metric": params.index_metric,
            "normalize": self.normalize,
        }
        if self.reduction:
            told["dimension_reduction"] = {
                "type": self.reduction.kind,
                "target_dim": self.reduction.target,
            }
        if params.index_type != "faiss.Flat":
            told["cells"] = int(self.searcher.index.nlist)
            told["cells_searched"] = int(self.searcher.index.nprobe)
        return told | self._labels_told()

    def figures(self, held_out: Batch | None) -> list[Figure]:
        if held_out is None or held_out.label is None or not held_out.rows:
            return []
        return figures_of(self, held_out, leave_out=self._leave_out)

    def _labels_told(self) -> dict[str, Any]:
        if self.params.predictor_type == "classifier":
            names, counts = np.unique(self.labels, return_counts=True)
            pairs = zip(names.tolist(), counts.tolist(), strict=True)
            return {"rows_of_class": {f"{name:g}": count for name, count in pairs}}
        labels = self.labels.astype(np.float64)
        return {"label_mean": float(labels.mean()), "label_deviation": float(labels.std())}

    def _found(self, features: Features, k: int) -> tuple[Floats, Any]:
        distances, places = self.searcher.search(self._queries(features), k)
        return self._shown(distances), places

    def _queries(self, features: Features) -> Floats:
        """Rows as the index has them."""
        rows = self.reduction.of(features) if self.reduction else dense(features)
        if self.normalize:
            rows = unit_rows(rows)
        more = self.searcher.width - rows.shape[1]
        return np.pad(rows, ((0, 0), (0, more))) if more else np.ascontiguousarray(rows)

    def _shown(self, distances: Doubles) -> Floats:
        if not self.searcher.product:
            distances = np.sqrt(np.maximum(distances, 0))
        elif self.normalize:
            distances = np.maximum(1 + distances, 0)
        return distances.astype(np.float32)


def unit_rows(rows: Floats) -> Floats:
    """Each row divided by its length; zeros stay."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    return np.asarray(rows / np.where(lengths > 0, lengths, 1)[:, None], dtype=np.float32)


def _guessed(index: Any, told: artifact.Settings) -> dict[str, Any]:
    """Hyperparameters of a model made elsewhere, as far as its files tell them."""
    metric = "L2" if index.metric_type == faiss.METRIC_L2 else "INNER_PRODUCT"
    known = {
        "feature_dim": index.d,
        "k": told.k,
        "predictor_type": told.predictor_type,
        "sample_size": int(index.ntotal),
        "index_metric": "COSINE" if told.normalize and metric != "L2" else metric,
    }
    if isinstance(index, (faiss.IndexIVFFlat, faiss.IndexIVFPQ)):
        known |= {"faiss_index_ivf_nlists": index.nlist, "_faiss_index_nprobe": index.nprobe}
        known["index_type"] = "faiss.IVFFlat"
    if isinstance(index, faiss.IndexIVFPQ):
        known |= {"index_type": "faiss.IVFPQ", "faiss_index_pq_m": index.pq.M}
    return known
