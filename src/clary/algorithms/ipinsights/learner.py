"""One mini-batch after the other: loss, gradients, and a step of Adam.

The gradient of a mini-batch touches few rows of the table of entities; Adam then moves only those,
and leaves the others and their moments as they are. Pairs are put in the order of their entities
and cut into lanes of whole entities, as many whatever the number of threads: each has its own
gradient of the encoder, which are added in order, and rows of entities that no other lane has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.ipinsights import kernels
from clary.algorithms.ipinsights.encoder import Encoder, Floats, octets_of_six
from clary.algorithms.ipinsights.pairs import Pairs
from clary.algorithms.ipinsights.sampling import Negatives
from clary.codecs.addresses import Addresses
from clary.kit.cluster import Cluster
from clary.kit.parallel import ordered_map

Doubles: TypeAlias = npt.NDArray[np.float64]

_LANES, _LANE_PAIRS = 8, 512
_CHUNK_NUMBERS = 2**17
_STEP_ROWS = 1024
_BETA_1, _BETA_2 = 0.9, 0.999


@dataclass
class Weights:
    """Parameters and Adam's two moments, each (rows, dim)."""

    values: Floats
    first: Floats
    second: Floats

    @classmethod
    def of(cls, values: Floats) -> Weights:
        """With moments of zero, which take no memory until they are touched."""
        return cls(values, np.zeros_like(values), np.zeros_like(values))


@dataclass(frozen=True)
class Rates:
    """Step size and weight decay of Adam."""

    learning_rate: float
    weight_decay: float

    def at(self, step: int) -> tuple[np.float32, np.float32, np.float32]:
        """What the kernel takes at a step, counted from 1."""
        rate = self.learning_rate / (1 - _BETA_1**step)
        correction = np.sqrt(1 - _BETA_2**step)
        return np.float32(self.weight_decay), np.float32(rate), np.float32(correction)


@dataclass
class Learner:
    """The parameters, and how mini-batches move them.

    entities: (num_entity_vectors, dim). encoder: in the form of `Encoder.parameters`.
    steps: taken so far.
    """

    entities: Weights
    encoder: Weights
    layers: int
    rates: Rates
    cluster: Cluster
    steps: int = 0

    @property
    def network(self) -> Encoder:
        """The encoder as it is now."""
        return Encoder(self.encoder.values, self.layers)

    def meet_six(self, rng: np.random.Generator) -> None:
        """From now on addresses may be of IPv6."""
        more = Weights.of(octets_of_six(self.encoder.values.shape[1], rng))
        self.encoder = Weights(
            np.vstack([self.encoder.values, more.values]),
            np.vstack([self.encoder.first, more.first]),
            np.vstack([self.encoder.second, more.second]),
        )

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
        settings = self.rates.at(self.steps)
        every = np.arange(len(gradient), dtype=np.int32)
        _step(self.encoder, every, gradient, settings)
        _step(self.entities, touched, slopes, settings)
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
        share = _Share(self, pairs, negatives, order, entity, group, slopes, total)
        found = list(ordered_map(share.lane, _lanes(first, len(entity))))
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


def _step(
    weights: Weights,
    rows: npt.NDArray[np.int32],
    gradient: Floats,
    settings: tuple[np.float32, np.float32, np.float32],
) -> None:
    """Adam for some rows, each of which is there once."""

    def some(start: int) -> None:
        part = slice(start, start + _STEP_ROWS)
        kernels.adam(weights.values, weights.first, weights.second, rows[part], gradient[part],
                     *settings)  # fmt: skip

    for _ in ordered_map(some, range(0, len(rows), _STEP_ROWS)):
        pass


def _together(
    touched: npt.NDArray[np.int32], slopes: Floats, cluster: Cluster
) -> tuple[npt.NDArray[np.int32], Floats]:
    """Every host's rows and their gradients, those of the same row added in the hosts' order."""
    every = np.concatenate(cluster.gather(touched))
    parts = np.concatenate(cluster.gather(slopes))
    rows, where = np.unique(every, return_inverse=True)
    total = np.zeros((len(rows), slopes.shape[1]), np.float32)
    np.add.at(total, where, parts)
    return rows, total
