"""Maps are as good as openTSNE's and scikit-learn's, and always the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import openTSNE
import pytest
from scipy.sparse import csr_array
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

from clary import settings
from clary.algorithms.tsne.fit import fit
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError
from tests.algorithms.listening import Checkpoints, Listener
from tests.algorithms.tsne.training import DIGIT, DIGITS, FEW, QUICK, heard, running, trained


class Killed(BaseException):
    """As if the process had been killed."""


def told(rows: np.ndarray, places: np.ndarray, labels: np.ndarray) -> float:
    """How many labels the neighbors on the map tell."""
    half = len(places) // 2
    near = KNeighborsClassifier(5).fit(places[:half], labels[:half])
    return float(near.score(places[half:], labels[half:]))


def test_a_map_of_digits_is_as_good_as_opentsnes_own() -> None:
    model, listener = heard(
        DIGITS, perplexity=30, early_exaggeration_iter=250, max_iter=500, reduction_dim=0
    )
    peer = openTSNE.TSNE(
        perplexity=30, n_iter=250, neighbors="exact", negative_gradient_method="bh", random_state=0
    ).fit(DIGITS)
    # The same descent from the same place but for the jitter: 0.5 % is what another seed changes
    assert listener.values("train:kl_divergence")[-1] < 1.01 * peer.kl_divergence
    ours = trustworthiness(DIGITS, model.places, n_neighbors=5)
    assert ours > trustworthiness(DIGITS, np.asarray(peer), n_neighbors=5) - 0.002
    assert ours > 0.99
    assert told(DIGITS, model.places, DIGIT) > 0.95


def test_the_reported_trustworthiness_is_scikit_learns() -> None:
    model, listener = heard(DIGITS[:FEW])
    exact = trustworthiness(model.rows, model.places, n_neighbors=5)
    assert listener.values("train:trustworthiness") == [pytest.approx(exact, abs=1e-4)]


@pytest.mark.parametrize(
    "hyperparameters",
    [
        {},
        {"num_components": 3},
        {"metric": "cosine"},
        {"init": "random"},
        {"neighbor_search": "approximate"},
        {"learning_rate": 50},
        {"reduction_dim": 10},
    ],
    ids=str,
)
def test_the_seed_decides_and_threads_do_not(hyperparameters: dict[str, Any]) -> None:
    found = []
    for threads in (1, 2):
        with settings.threads_set(threads):
            found.append(trained(**hyperparameters).places.tobytes())
    assert found[0] == found[1]
    if not hyperparameters:
        assert trained(seed=1).places.tobytes() != found[0]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_hyperparameters_of_every_kind_draw_good_maps(metric: str) -> None:
    for hyperparameters in ({"num_components": 3}, {"init": "random"}, {"reduction_dim": 20}):
        model, listener = heard(DIGITS[:FEW], metric=metric, **hyperparameters)
        assert model.places.shape == (FEW, hyperparameters.get("num_components", 2))
        # On 300 digits, a random map has 0.5
        assert listener.values("train:trustworthiness")[0] > 0.95


def test_the_map_of_angles_does_not_know_lengths() -> None:
    longer = DIGITS[:FEW] * np.linspace(1, 5, FEW, dtype=np.float32)[:, None]
    near, far = (
        trustworthiness(DIGITS[:FEW], trained(longer, metric=metric).places, metric="cosine")
        for metric in ("cosine", "euclidean")
    )
    assert near > far + 0.01


def test_a_smaller_step_and_less_exaggeration_give_another_map() -> None:
    usual = trained().places
    for changed in ({"learning_rate": 20}, {"early_exaggeration": 4}, {"perplexity": 5}):
        assert not np.allclose(trained(**changed).places, usual)


def test_sparse_rows_are_mapped_as_dense_ones_are() -> None:
    dense, sparse = trained(), trained(csr_array(DIGITS[:FEW]))
    # Sums over chunks round in another order, and the descent makes much of it
    np.testing.assert_allclose(sparse.rows, dense.rows, atol=1e-3)
    assert trustworthiness(DIGITS[:FEW], sparse.places) > 0.97


def test_sparse_rows_that_are_not_wide_are_mapped_to_the_same_bytes() -> None:
    rows = np.ascontiguousarray(DIGITS[:FEW, :40])
    assert trained(csr_array(rows)).places.tobytes() == trained(rows).places.tobytes()


def test_a_label_changes_nothing_but_is_kept() -> None:
    plain, labelled = trained(), trained(Batch(DIGITS[:FEW], DIGIT[:FEW]))
    assert labelled.places.tobytes() == plain.places.tobytes()
    assert plain.label is None
    np.testing.assert_array_equal(labelled.label, DIGIT[:FEW])


def test_equal_rows_and_constant_rows_are_mapped() -> None:
    twice = np.vstack([DIGITS[:100], DIGITS[:100]])
    places = trained(twice).places
    assert np.linalg.norm(places[:100] - places[100:], axis=1).max() < 0.2 * np.ptp(places)
    assert np.isfinite(trained(np.ones((50, 3), np.float32)).places).all()
    assert np.isfinite(trained(np.zeros((50, 70), np.float32), metric="cosine").places).all()


def test_few_rows_have_a_lower_perplexity_said_in_the_log() -> None:
    model, listener = heard(DIGITS[:10])
    assert model.params.perplexity == 3
    assert "perplexity: settled as 3.0" in listener.lines


@pytest.mark.parametrize("rows", [1, 3])
def test_fewer_than_four_rows_are_refused(rows: int) -> None:
    with pytest.raises(CallerError, match=f"a map needs at least 4 rows, got {rows}"):
        trained(DIGITS[:rows])


def test_the_early_phase_cannot_be_longer_than_all() -> None:
    with pytest.raises(CallerError, match="early_exaggeration_iter: must be at most max_iter, 99"):
        running(DIGITS, {"max_iter": 99, "early_exaggeration_iter": 100})


def test_sparse_rows_too_wide_to_be_dense_are_refused_without_reduction() -> None:
    rows = csr_array((1100, 2**20), dtype=np.float32)
    with pytest.raises(CallerError, match="reduction_dim: must be above 0 for 1,100 sparse rows"):
        trained(rows, reduction_dim=0)


def test_a_stopped_training_keeps_the_map_so_far() -> None:
    run = running(DIGITS[:FEW], QUICK)

    class Stopping(Listener):
        def metric(self, name: str, value: float, epoch: int | None) -> None:
            super().metric(name, value, epoch)
            if epoch == 150:
                run.stopping.set()

    run.reporter = Stopping()
    model = fit(run)
    assert [epoch for _, _, epoch in run.reporter.metrics if epoch] == [50, 100, 150]
    assert "stopped after 150 iterations; the map is as it was then" in run.reporter.lines
    assert model.places.tobytes() == trained(max_iter=150).places.tobytes()


def test_a_training_stopped_while_it_reads_maps_the_rows_that_it_has() -> None:
    run = running(
        np.vstack([DIGITS] * 3),
        {"perplexity": 5, "max_iter": 60, "sample_size": 500, "early_exaggeration_iter": 50},
    )
    run.stopping.set()
    model = fit(run)
    assert isinstance(run.reporter, Listener)
    assert "stopped after 4096 rows were read; the map is of these" in run.reporter.lines
    assert "stopped before the rows beyond the sample were placed" in run.reporter.lines
    assert model.numbers.max() < 4096
    assert run.reporter.values("train:progress") == [pytest.approx(83.33)]


@pytest.mark.parametrize("early", [100, 30])
def test_a_killed_training_goes_on_to_the_same_map(early: int, tmp_path: Path) -> None:
    hyperparameters = {**QUICK, "early_exaggeration_iter": early}

    def die(step: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        fit(running(DIGITS[:FEW], hyperparameters, checkpoints=Checkpoints(tmp_path, die)))
    run = running(DIGITS[:FEW], hyperparameters, checkpoints=Checkpoints(tmp_path))
    resumed = fit(run)
    assert isinstance(run.reporter, Listener)
    assert any(re.match("going on from the checkpoint", line) for line in run.reporter.lines)
    undisturbed = trained(early_exaggeration_iter=early)
    assert resumed.places.tobytes() == undisturbed.places.tobytes()


def test_damaged_checkpoints_and_those_of_other_rows_are_refused(tmp_path: Path) -> None:
    fit(running(DIGITS[:FEW], QUICK, checkpoints=Checkpoints(tmp_path)))
    with pytest.raises(CallerError, match="must be of a map of 200 rows in 2 dimensions"):
        fit(running(DIGITS[:200], QUICK, checkpoints=Checkpoints(tmp_path)))
    state = tmp_path / "000200" / "descent.npz"
    for damaged in (b"", state.read_bytes()[:100], b"x" * 500):
        state.write_bytes(damaged)
        with pytest.raises(CallerError, match="is damaged or foreign"):
            fit(running(DIGITS[:FEW], QUICK, checkpoints=Checkpoints(tmp_path)))


def test_of_more_rows_a_sample_makes_the_map_and_the_others_are_placed() -> None:
    model, listener = heard(Batch(DIGITS[:600], DIGIT[:600]), sample_size=FEW)
    assert "sample_size: 300 of 600 rows make the map, the others are placed into it" in (
        listener.lines
    )
    assert model.everywhere is not None
    assert model.everywhere.shape == (600, 2)
    assert sorted(set(model.numbers.tolist())) == model.numbers.tolist()
    np.testing.assert_array_equal(model.everywhere[model.numbers], model.places)
    np.testing.assert_array_equal(model.label, DIGIT[model.numbers])
    assert told(DIGITS[:600], model.everywhere, DIGIT[:600]) > 0.85
    others = np.setdiff1d(np.arange(600), model.numbers)
    np.testing.assert_array_equal(
        model.everywhere[others], model.predict(Batch(DIGITS[others]))["embedding"]
    )


def test_every_row_is_as_likely_to_be_drawn() -> None:
    drawn = np.zeros(60)
    for seed in range(40):
        drawn[
            trained(
                DIGITS[:60], seed=seed, sample_size=20, max_iter=1, early_exaggeration_iter=0
            ).numbers
        ] += 1
    # A third of 40, with a deviation of 3
    assert drawn.mean() == pytest.approx(40 / 3)
    assert 2 < drawn.min() <= drawn.max() < 26


def test_progress_and_divergence_are_told_every_fifty_iterations() -> None:
    listener = heard(DIGITS[:FEW])[1]
    iterations = [epoch for name, _, epoch in listener.metrics if name == "train:kl_divergence"]
    assert iterations == [50, 100, 150, 200, 250]
    assert listener.values("train:progress") == [20, 40, 60, 80, 100]


def test_the_test_channel_is_scored_against_the_map() -> None:
    model = trained(DIGITS[:FEW])
    good = model.evaluate(MemoryChannel("test", Batch(DIGITS[FEW:600])))["test:trustworthiness"]
    noise = np.random.default_rng(0).uniform(0, 16, (300, 64)).astype(np.float32)
    bad = model.evaluate(MemoryChannel("test", Batch(noise)))["test:trustworthiness"]
    assert 0.5 < bad < good - 0.02
    assert good > 0.95


@pytest.mark.slow
def test_a_large_map_is_the_same_over_any_threads_and_as_good_on_the_grid() -> None:
    draw = np.random.default_rng(0)
    some = draw.integers(0, len(DIGITS), 10_500)
    rows = (DIGITS[some] + draw.normal(scale=2, size=(10_500, 64))).astype(np.float32)
    found = []
    for threads in (1, 2):
        with settings.threads_set(threads):
            found.append(trained(rows, neighbor_search="approximate", perplexity=30))
    one, two = found
    assert one.places.tobytes() == two.places.tobytes()
    assert told(rows, one.places, DIGIT[some]) > 0.95
