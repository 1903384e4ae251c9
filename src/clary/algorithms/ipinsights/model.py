"""A trained IP Insights model: vectors of entities, and the network that gives addresses theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from clary.algorithms.ipinsights import kernels
from clary.algorithms.ipinsights.encoder import Encoder, Floats
from clary.algorithms.ipinsights.figures import figures
from clary.algorithms.ipinsights.pairs import Pairs, pairs_of
from clary.algorithms.ipinsights.spec import ALGORITHM, PAIR, IPInsightsHyperparameters
from clary.algorithms.ipinsights.validation import area, discriminator_auc, with_random
from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.errors import CallerError
from clary.kit.cluster import Cluster
from clary.kit.figures import Figure
from clary.kit.model import Model, Outputs
from clary.spec.algorithm import Algorithm

_ENTITIES, _ENCODER = "entity_vectors.npy", "ip_encoder.npy"
_CHUNK = 4096


class IPInsightsModel(Model):
    """entities: (num_entity_vectors, vector_dim) float32."""

    algorithm: ClassVar[Algorithm] = ALGORITHM
    params: IPInsightsHyperparameters

    def __init__(
        self, entities: Floats, encoder: Encoder, params: IPInsightsHyperparameters
    ) -> None:
        self.entities = entities
        self.encoder = encoder
        self.params = params

    @property
    def width(self) -> int:
        return len(PAIR)

    def predict(self, batch: Batch) -> Outputs:
        pairs = self.pairs(batch)
        vectors = self.encoder.vectors(pairs.addresses)
        return {
            "dot_product": self._products(pairs, vectors),
            "entity_embedding": self.entities[pairs.entity],
            "ip_embedding": vectors,
        }

    def pairs(self, batch: Batch) -> Pairs:
        """The pairs of rows.

        Raises:
            CallerError: they are not pairs, or of addresses that the model does not take.
        """
        pairs = pairs_of(batch, len(self.entities), PAIR)
        if pairs.has_six and not self.encoder.takes_six:
            row = int(np.argmax(pairs.addresses.family == 6))
            raise CallerError.of(
                f"row {row + 1}, column 2 (ip)",
                "must be an IPv4 address, as all are that the model was trained on",
                batch.columns()[1][row].as_py(),
            )
        return pairs

    def scores(self, pairs: Pairs) -> Floats:
        """(rows,): the products of both vectors, a few rows' vectors in memory at once."""
        parts = [np.zeros(0, np.float32)]
        for start in range(0, len(pairs), _CHUNK):
            some = pairs.chosen(slice(start, start + _CHUNK))
            parts.append(self._products(some, self.encoder.vectors(some.addresses)))
        return np.concatenate(parts)

    def evaluate(self, channel: Channel) -> dict[str, float]:
        auc = discriminator_auc(self, channel, 0, Cluster())
        return {} if auc is None else {"validation:discriminator_auc": auc}

    def save(self, folder: Path) -> None:
        np.save(folder / _ENTITIES, self.entities, allow_pickle=False)
        np.save(folder / _ENCODER, self.encoder.parameters, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, params: Mapping[str, Any] | None = None) -> Self:
        entities, parameters = (_read(folder / name) for name in (_ENTITIES, _ENCODER))
        if params is None:
            rule = "has no manifest, which tells the number of layers"
            raise CallerError.of(f"model {folder}", rule)
        known = IPInsightsHyperparameters.parse(params)
        encoder = Encoder(parameters, known.num_ip_encoder_layers)
        sizes = {len(encoder.six), parameters.shape[1] - entities.shape[1]}
        if not sizes <= {0, kernels.IPV6_ROWS} or parameters.shape[1] != entities.shape[1]:
            shapes = f"{entities.shape} and {parameters.shape}"
            raise CallerError.of(f"model {folder}", "its files do not fit together", shapes)
        return cls(entities, encoder, known)

    @classmethod
    def recognizes(cls, folder: Path) -> bool:
        return (folder / _ENTITIES).exists() and (folder / _ENCODER).exists()

    def summary(self) -> dict[str, Any]:
        return {
            "num_entity_vectors": len(self.entities),
            "vector_dim": self.encoder.dim,
            "num_ip_encoder_layers": self.encoder.layers,
            "addresses": "IPv4 and IPv6" if self.encoder.takes_six else "IPv4",
        }

    def figures(self, held_out: Batch | None) -> list[Figure]:
        if held_out is None or not held_out.rows:
            return []
        pairs = self.pairs(held_out)
        real, random = self.scores(pairs), self.scores(with_random(pairs))
        return figures(held_out, real, random, area(real, random))

    def _products(self, pairs: Pairs, vectors: Floats) -> Floats:
        found = np.empty(len(pairs), np.float32)
        kernels.score(self.entities, pairs.entity, vectors, found)
        return found


def _read(path: Path) -> npt.NDArray[np.float32]:
    try:
        found: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise CallerError.of(f"model {path.parent}", f"has no file {path.name}") from None
    except (OSError, ValueError, EOFError) as error:
        raise CallerError.of(f"model file {path}", "is damaged or foreign", str(error)) from error
    if found.ndim != 2 or found.dtype != np.float32:
        raise CallerError.of(f"model file {path}", "must hold a matrix of float32", found.dtype)
    return found
