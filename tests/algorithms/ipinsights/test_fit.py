"""What training finds, and that nothing but the seed and the data decides it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from clary import settings
from clary.algorithms.ipinsights.fit import fit
from clary.algorithms.ipinsights.model import IPInsightsModel
from clary.algorithms.ipinsights.validation import area, with_random
from clary.errors import CallerError
from tests.algorithms.ipinsights.plain_pytorch import Scorer, in_pytorch
from tests.algorithms.ipinsights.training import (
    HELD_OUT,
    TRAIN,
    batch,
    bytes_of,
    dotted,
    heard,
    logins,
    prefix_shares,
    running,
    trained,
)

SIX = [(f"person {at % 40}", f"2001:db8:{at % 40:x}::{at:x}") for at in range(2000)]


def told_apart(scores: np.ndarray, others: np.ndarray) -> float:
    return float(roc_auc_score(np.repeat([1, 0], len(scores)), np.concatenate([scores, others])))


def with_others(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same people with random addresses."""
    draw = np.random.default_rng(5)
    return [
        (who, dotted(int(at)))
        for (who, _), at in zip(pairs, draw.integers(0, 2**32, len(pairs)), strict=True)
    ]


def test_real_logins_are_told_from_random_ones_from_parts_of_networks_not_seen_before() -> None:
    few = TRAIN[:2400]
    model = trained(few, epochs=20)
    scores = [
        model.predict(batch(each))["dot_product"] for each in (HELD_OUT, with_others(HELD_OUT))
    ]
    counted = [prefix_shares(few, each, octets=2) for each in (HELD_OUT, with_others(HELD_OUT))]
    # Twenty logins of a person come from as many of 128 parts of networks that begin so
    assert told_apart(*counted) < 0.6
    assert told_apart(*scores) > 0.98


def test_a_person_at_another_persons_address_scores_low() -> None:
    model = trained()
    whose = [(HELD_OUT[at - 1][0], address) for at, (_, address) in enumerate(HELD_OUT)]
    own, wrong = (model.predict(batch(each))["dot_product"] for each in (HELD_OUT, whose))
    # A few have the same person before them
    assert told_apart(own, wrong) > 0.95


def test_scores_are_as_good_as_those_of_the_network_in_pytorch() -> None:
    few = TRAIN[:2400]
    found = [told_apart_by(scorer(trained(few, seed=seed, epochs=3))) for seed in range(5)]
    theirs = [told_apart_by(in_pytorch(few, epochs=3, seed=seed)) for seed in range(5)]
    # One training lies 0.006 from the mean of several, five of them 0.003
    assert np.mean(found) > np.mean(theirs) - 0.005


def scorer(model: IPInsightsModel) -> Scorer:
    return lambda rows: model.predict(batch(rows))["dot_product"]


def told_apart_by(score: Scorer) -> float:
    return told_apart(score(HELD_OUT), score(with_others(HELD_OUT)))


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_threads_change_no_byte(layers: int) -> None:
    found = set()
    for threads in (1, 2, 5):
        with settings.threads_set(threads):
            found.add(
                bytes_of(trained(epochs=1, mini_batch_size=4500, num_ip_encoder_layers=layers))
            )
    assert len(found) == 1


def test_seeds_decide() -> None:
    assert bytes_of(trained(epochs=1)) == bytes_of(trained(epochs=1))
    assert bytes_of(trained(epochs=1)) != bytes_of(trained(epochs=1, seed=1))


def test_rows_in_the_order_of_their_people_are_learned_as_well() -> None:
    model = trained(sorted(TRAIN))
    assert told_apart_by(scorer(model)) > 0.99


def test_six_numbers_of_octets_are_only_there_for_data_that_have_such_addresses() -> None:
    model, said = heard([*TRAIN[:2000], *SIX])
    assert model.encoder.takes_six
    assert model.summary()["addresses"] == "IPv4 and IPv6"
    assert any("IPv6" in line for line in said.lines)
    pairs = model.pairs(batch(SIX))
    assert area(model.scores(pairs), model.scores(with_random(pairs))) > 0.99
    assert not trained(epochs=1).encoder.takes_six


def test_validation_with_a_family_that_train_lacks_is_refused() -> None:
    with pytest.raises(CallerError, match=r"channel validation: row 1, column 2.*IPv4"):
        heard(TRAIN[:300], SIX[:10])


def test_the_loss_falls_and_the_validation_score_is_the_models() -> None:
    model, said = heard(TRAIN, HELD_OUT, batch_metrics_publish_interval=7)
    losses = said.values("train:binary_classification_cross_entropy:epoch")
    assert losses == sorted(losses, reverse=True)
    # Scores of 0, as all are in the beginning, have this loss
    assert losses[0] < np.log(2) + 0.01
    scores = said.values("validation:discriminator_auc")
    assert len(scores) == 5
    run = running(TRAIN, HELD_OUT)
    assert model.evaluate(run.channels["validation"])["validation:discriminator_auc"] == scores[-1]
    # Of 20 mini-batches, numbers 0, 7 and 14
    assert len(said.values("train:binary_classification_accuracy")) == 5 * 3
    assert sum("samples/sec" in line for line in said.lines) == 5 * 3


def test_a_learning_rate_that_is_too_large_is_told() -> None:
    with pytest.raises(CallerError, match="learning_rate: is too large"):
        trained(TRAIN[:600], learning_rate=10, num_ip_encoder_layers=100, epochs=30)


def test_a_table_that_no_memory_holds_is_refused_before_it_is_made() -> None:
    with pytest.raises(CallerError, match="num_entity_vectors x vector_dim: must be at most"):
        trained(num_entity_vectors=250_000_000, vector_dim=4096)


def test_a_stopped_training_keeps_what_it_has() -> None:
    run = running(hyperparameters={"epochs": 1000})
    run.stopping.set()
    model = fit(run)
    assert run.train.rows_read == len(TRAIN)
    assert np.isfinite(model.entities).all()


def test_one_pair_is_enough() -> None:
    model = trained([("a", "192.0.2.7")], epochs=2)
    assert np.isfinite(model.predict(batch([("a", "192.0.2.7")]))["dot_product"]).all()


@pytest.mark.parametrize("rates", [(0, 1), (1, 0), (3, 2)])
def test_either_kind_of_generated_pairs_will_do(rates: tuple[int, int]) -> None:
    names = ("random_negative_sampling_rate", "shuffled_negative_sampling_rate")
    model = trained(TRAIN[:3000], **dict(zip(names, rates, strict=True)))
    assert told_apart_by(scorer(model)) > 0.9


@pytest.mark.parametrize("rates", [(0, 0), (500, 1)])
def test_so_many_generated_pairs_are_refused(rates: tuple[int, int]) -> None:
    random, shuffled = rates
    with pytest.raises(CallerError, match="must be from 1 to 500"):
        trained(random_negative_sampling_rate=random, shuffled_negative_sampling_rate=shuffled)


def test_more_logins_tell_more() -> None:
    few, many = trained(logins(300), epochs=20), trained(logins(5000), epochs=3)
    assert told_apart_by(scorer(many)) > told_apart_by(scorer(few))
