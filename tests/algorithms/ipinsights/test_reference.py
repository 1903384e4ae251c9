"""Every step is that of the same network in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from clary.algorithms.ipinsights.adam import Pace, Weights
from clary.algorithms.ipinsights.encoder import Encoder
from clary.algorithms.ipinsights.learner import Learner
from clary.algorithms.ipinsights.pairs import pairs_of
from clary.algorithms.ipinsights.sampling import Negatives
from clary.algorithms.ipinsights.spec import PAIR
from clary.kit.cluster import Cluster
from tests.algorithms.ipinsights.reference import Reference
from tests.algorithms.ipinsights.training import TRAIN, batch

DIM, ENTITIES, ROWS, STEPS = 12, 50, 60, 4
SIX = [(f"person {at}", f"2001:db8:{at:x}::{at * at:x}") for at in range(60)]


def learner_of(layers: int, decay: float) -> Learner:
    draw = np.random.default_rng(3)
    encoder = Encoder.drawn(DIM, layers, draw)
    entities = draw.normal(0, 0.5, (ENTITIES, DIM)).astype(np.float32)
    weights = Weights.of(entities), Weights.of(encoder.parameters)
    return Learner(*weights, layers, Pace(0.01), decay, Cluster())


@pytest.mark.parametrize(
    ("layers", "random", "shuffled", "decay", "six"),
    [
        (0, 1, 1, 1e-5, False),
        (1, 1, 1, 1e-5, False),
        (1, 0, 3, 0.1, False),
        (3, 2, 1, 1e-3, False),
        (1, 2, 1, 1e-5, True),
        (2, 1, 0, 0.0, True),
    ],
)
def test_steps_are_those_of_the_reference(
    layers: int, random: int, shuffled: int, decay: float, six: bool
) -> None:
    learner = learner_of(layers, decay)
    if six:
        learner.meet_six(np.random.default_rng(4))
    reference = Reference(learner)
    rows = [*TRAIN[: ROWS * STEPS // 2], *SIX, *TRAIN[: ROWS * STEPS // 2]] if six else TRAIN
    for step in range(STEPS):
        pairs = pairs_of(batch(rows[step * ROWS :][:ROWS]), ENTITIES, PAIR)
        negatives = Negatives.drawn(ROWS, random, shuffled, np.random.default_rng(step))
        loss, _ = learner.learn(pairs, negatives, ROWS)
        # Sums of some hundred numbers in single precision, in another order
        assert loss == pytest.approx(reference.learn(pairs, negatives), rel=1e-5)
    learner.catch_up()
    network = learner.network
    found = [learner.entities.values, network.four, network.six, network.bias]
    wanted = [reference.entities, reference.four, reference.six, reference.bias]
    for number in range(layers - 1):
        found += network.layer(number)
        layer = reference.further[number]
        wanted += [layer.weight, layer.bias]
    for ours, theirs in zip(found, wanted, strict=True):
        apart = np.abs(ours - theirs.detach().numpy())
        # Adam divides a slope by its size: where that is rounding, so is a part of a step
        assert apart.max(initial=0) < 1e-3
        assert apart.size == 0 or apart.mean() < 1e-6


def test_entities_that_do_not_occur_stay_as_they_are() -> None:
    learner = learner_of(1, 0.1)
    before = learner.entities.values.copy()
    pairs = pairs_of(batch(TRAIN[:10]), ENTITIES, PAIR)
    learner.learn(pairs, Negatives.drawn(10, 1, 1, np.random.default_rng(0)), 10)
    touched = np.isin(np.arange(ENTITIES), pairs.entity)
    assert (learner.entities.values[~touched] == before[~touched]).all()
    assert (learner.entities.values[touched] != before[touched]).any(axis=1).all()
