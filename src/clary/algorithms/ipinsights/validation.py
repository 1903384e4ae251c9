"""How well real pairs are told from ones with random addresses."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from clary.algorithms.ipinsights.encoder import Floats
from clary.algorithms.ipinsights.pairs import Pairs
from clary.algorithms.ipinsights.sampling import Negatives
from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.errors import CallerError
from clary.kit.cluster import Cluster

_ROWS = 16_384


class Scorer(Protocol):
    """What of a model is asked here."""

    def pairs(self, batch: Batch) -> Pairs: ...

    def scores(self, pairs: Pairs) -> Floats: ...


def discriminator_auc(
    model: Scorer, channel: Channel, epoch: int, cluster: Cluster
) -> float | None:
    """The area under the ROC curve over all hosts' pairs, beside one random address each.

    The addresses are the same ones each time. None where no host has pairs.

    Raises:
        CallerError: the channel has addresses that the model does not take.
    """
    real, random = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
    for number, batch in enumerate(channel.batches(_ROWS, epoch)):
        try:
            pairs = model.pairs(batch)
        except CallerError as fault:
            raise CallerError.of(f"channel {channel.name}", str(fault)) from None
        real.append(model.scores(pairs))
        random.append(model.scores(with_random(pairs, (cluster.rank, number))))
    scores = [np.concatenate(cluster.gather(np.concatenate(one))) for one in (real, random)]
    return area(*scores) if len(scores[0]) else None


def with_random(pairs: Pairs, seed: tuple[int, int] = (0, 0)) -> Pairs:
    """The entities of pairs with random addresses; the seed decides which."""
    key = int(np.random.default_rng(seed).integers(2**63))
    negatives = Negatives(key, 1, np.zeros(0, np.int64))
    found = negatives.addresses(pairs, np.arange(len(pairs)))
    every = Pairs(np.repeat(pairs.entity, negatives.tries), found)
    return every.chosen(np.arange(1, len(every), negatives.tries))


def area(high: Floats, low: Floats) -> float:
    """How often a score of `high` is above one of `low`; one equal to it counts half."""
    below = np.sort(low)
    wins: npt.NDArray[np.intp] = np.searchsorted(below, high, "left")
    wins += np.searchsorted(below, high, "right")
    return float(wins.sum(dtype=np.float64)) / (2.0 * len(high) * len(low))
