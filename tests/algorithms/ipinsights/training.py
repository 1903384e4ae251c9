"""Trainings in memory, and logins for them: no real log of who came from where is free."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa

from clary.algorithms.ipinsights.fit import fit
from clary.algorithms.ipinsights.model import IPInsightsModel
from clary.algorithms.ipinsights.spec import ALGORITHM, PAIR, IPInsightsHyperparameters
from clary.codecs.batch import Batch
from clary.codecs.columns import batch_of
from clary.data.channel import MemoryChannel
from clary.kit.run import Run
from tests.algorithms.listening import Listener

_PEOPLE, _BITS = 120, 22
SMALL = {
    "num_entity_vectors": 1000,
    "vector_dim": 16,
    "epochs": 5,
    "learning_rate": 0.02,
    "mini_batch_size": 300,
}


def logins(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """People who come from parts of two networks each, which change in the last bits."""
    habits, draw = np.random.default_rng(0), np.random.default_rng((1, seed))
    homes = habits.integers(1, 224 << 2, (_PEOPLE, 2)) << _BITS
    who = draw.integers(0, _PEOPLE, count)
    address = homes[who, draw.integers(0, 2, count)] + draw.integers(0, 1 << _BITS, count)
    return [(f"person {one}", dotted(int(at))) for one, at in zip(who, address, strict=True)]


def dotted(address: int) -> str:
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


def batch(pairs: list[tuple[str, str]]) -> Batch:
    return batch_of([pa.array([pair[at] for pair in pairs], pa.string()) for at in (0, 1)], PAIR)


TRAIN, HELD_OUT = logins(6000), logins(2000, seed=1)


def running(
    pairs: Any = None, validation: Any = None, /, *, hyperparameters: Any = None, **rest: Any
) -> Run[IPInsightsHyperparameters]:
    """A training that is ready to begin."""
    rows = {"train": TRAIN if pairs is None else pairs}
    if validation is not None:
        rows["validation"] = validation
    channels = {
        name: MemoryChannel(name, one if isinstance(one, Batch) else batch(one))
        for name, one in rows.items()
    }
    params = IPInsightsHyperparameters.parse({**SMALL, **(hyperparameters or {})})
    return Run(ALGORITHM, params, channels, **{"reporter": Listener(), **rest})


def trained(pairs: Any = None, /, *, seed: int = 0, **hyperparameters: Any) -> IPInsightsModel:
    """A trained model."""
    return fit(running(pairs, hyperparameters=hyperparameters, seed=seed))


def heard(
    pairs: Any = None, validation: Any = None, /, **hyperparameters: Any
) -> tuple[IPInsightsModel, Listener]:
    """A trained model and what was said meanwhile."""
    run = running(pairs, validation, hyperparameters=hyperparameters)
    model = fit(run)
    assert isinstance(run.reporter, Listener)
    return model, run.reporter


def bytes_of(model: IPInsightsModel) -> bytes:
    return model.entities.tobytes() + model.encoder.parameters.tobytes()


def prefix_shares(
    pairs: list[tuple[str, str]], asked: list[tuple[str, str]], octets: int
) -> np.ndarray:
    """How often an entity came from where an address begins, the simplest thing that works."""
    seen: dict[str, list[str]] = defaultdict(list)
    for who, address in pairs:
        seen[who].append(_beginning(address, octets))
    shares = [
        seen[who].count(_beginning(address, octets)) / max(1, len(seen[who]))
        for who, address in asked
    ]
    return np.array(shares, np.float32)


def _beginning(address: str, octets: int) -> str:
    return ".".join(address.split(".")[:octets])
