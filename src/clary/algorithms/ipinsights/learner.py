"""One mini-batch after the other: loss, gradients, and a step of Adam.

Pairs are put in the order of their entities and cut into lanes of whole entities, as many whatever
the number of threads: each lane has its own gradient of the encoder, which are added in order, and
the gradient of entities that no other lane has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.ipinsights import kernels
from clary.algorithms.ipinsights.adam import Pace, Weights
from clary.algorithms.ipinsights.encoder import Encoder, Floats, octets_of_six
from clary.algorithms.ipinsights.pairs import Pairs
from clary.algorithms.ipinsights.sampling import Negatives
from clary.codecs.addresses import Addresses
from clary.kit.cluster import Cluster
from clary.kit.parallel import ordered_map

Doubles: TypeAlias = npt.NDArray[np.float64]

_LANES, _LANE_PAIRS = 8, 512
_CHUNK_NUMBERS = 2**17


@dataclass
class Learner:
    """The parameters, and how mini-batches move them.

    entities: (num_entity_vectors, dim). encoder: in the form of `Encoder.parameters`.
    steps: taken so far.
    """

    entities: Weights
    encoder: Weights
    layers: int
    pace: Pace
    decay: float
    cluster: Cluster
    steps: int = 0

    @property
    def network(self) -> Encoder:
        """The encoder as it is now."""
        return Encoder(self.encoder.values, self.layers)

    def meet_six(self, rng: np.random.Generator) -> None:
        """From now on addresses may be of IPv6."""
        more = octets_of_six(self.encoder.values.shape[1], rng)
        self.encoder = self.encoder.and_more(Weights.of(more, self.steps))

    def catch_up(self) -> None:
        """Bring all vectors to where the steps so far have taken them."""
        every = np.arange(len(self.entities.values), dtype=np.int32)
        self.entities.coast(every, self.steps, self.pace)

    def learn(self, pairs: Pairs, negatives: Negatives, total: int) -> Doubles:
        """A step with this host's pairs, of `total` on all hosts; it may have none.

        Returns:
            (2,): the sum of all hosts' losses, and of scores told right.
        """
        touched, slopes, gradient, told = self._gradients(pairs, negatives, total)
        if self.cluster.size > 1:
            gradient = self.cluster.all_reduce(gradient)
            told = self.cluster.all_reduce(told)
            touched, slopes = _together(touched, slopes, self.cluster)
        self.steps += 1
        every = np.arange(len(gradient), dtype=np.int32)
        self.encoder.move(every, gradient, self.decay, self.steps, self.pace)
        self.entities.move(touched, slopes, self.decay, self.steps, self.pace)
        return told

    def _gradients(
        self, pairs: Pairs, negatives: Negatives, total: int
    ) -> tuple[npt.NDArray[np.int32], Floats, Floats, Doubles]:
        """Entities that occur, (entities,), the gradients by them and by the encoder; the loss."""
        order = np.argsort(pairs.entity, kind="stable")
        entity = pairs.entity[order]
        first = np.flatnonzero(np.diff(entity, prepend=-1))
        group = np.zeros(len(entity), np.int32)
        group[first[1:]] = 1
        np.cumsum(group, out=group)
        slopes = np.zeros((len(first), self.entities.values.shape[1]), np.float32)
        self.entities.coast(entity[first], self.steps, self.pace)
        share = _Share(self, pairs, negatives, order, entity, group, slopes, total)
        lanes = _lanes(first, len(entity))
        found = list((ordered_map if len(lanes) > 1 else map)(share.lane, lanes))
        if not found:
            return entity, slopes, np.zeros_like(self.encoder.values), np.zeros(2)
        gradient, told = found[0]
        for more, also in found[1:]:
            gradient += more
            told += also
        return entity[first], slopes, gradient, told


@dataclass(frozen=True)
class _Share:
    """A mini-batch in the order of its entities; `slopes` gets the gradient by them."""

    learner: Learner
    pairs: Pairs
    negatives: Negatives
    order: npt.NDArray[np.intp]
    entity: npt.NDArray[np.int32]
    group: npt.NDArray[np.int32]
    slopes: Floats
    total: int

    def lane(self, bounds: tuple[int, int]) -> tuple[Floats, Doubles]:
        """The gradient by the encoder of the pairs within the bounds, and their loss."""
        encoder = self.learner.network
        gradient = encoder.like(np.zeros_like(encoder.parameters))
        told = np.zeros(2)
        size = max(1, _CHUNK_NUMBERS // (encoder.dim * self.negatives.tries))
        for start in range(bounds[0], bounds[1], size):
            part = slice(start, min(start + size, bounds[1]))
            addresses = self.negatives.addresses(self.pairs, self.order[part])
            self._chunk(part, addresses, encoder, gradient, told)
        return gradient.parameters, told

    def _chunk(
        self, part: slice, addresses: Addresses, encoder: Encoder, gradient: Encoder, told: Doubles
    ) -> None:
        outs = encoder.passed(addresses)
        tries = self.negatives.tries
        table = self.learner.entities.values
        scale = 1 / (self.total * tries)
        kernels.learn(table, self.entity[part], self.group[part], outs[-1], tries, scale,
                      encoder.layers > 0, self.slopes, told)  # fmt: skip
        encoder.returned(addresses, outs, outs[-1], gradient)


def _lanes(first: npt.NDArray[np.intp], pairs: int) -> list[tuple[int, int]]:
    """Parts of the pairs, about equal, that begin where an entity does."""
    count = max(1, min(_LANES, pairs // _LANE_PAIRS))
    ideal = np.arange(1, count) * pairs // count
    places = np.minimum(np.searchsorted(first, ideal), max(0, len(first) - 1))
    cuts = np.unique(np.concatenate([[0, pairs], first[places]])) if pairs else np.zeros(0, int)
    return list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))


def _together(
    touched: npt.NDArray[np.int32], slopes: Floats, cluster: Cluster
) -> tuple[npt.NDArray[np.int32], Floats]:
    """Every host's rows and their gradients, those of the same row added in the hosts' order."""
    every = np.concatenate(cluster.gather(touched))
    parts = np.concatenate(cluster.gather(slopes))
    order = np.argsort(every, kind="stable")
    first = np.flatnonzero(np.diff(every[order], prepend=-1))
    if not len(first):
        return every, parts
    return every[order][first], np.add.reduceat(parts[order], first)
