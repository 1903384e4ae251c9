"""Clusters as good as scikit-learn's, found in one pass; every hyperparameter has its effect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer

from clary.algorithms.kmeans.beginning import first_centers
from clary.algorithms.kmeans.fit import fit
from clary.algorithms.kmeans.model import KMeansModel
from clary.algorithms.kmeans.sample import Sample
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError
from tests.algorithms.kmeans.training import DIGIT, DIGITS, heard, one_hot, running, ssd, trained
from tests.algorithms.listening import Listener

TUMORS = load_breast_cancer().data.astype(np.float32)


@pytest.mark.parametrize(
    ("rows", "k"),
    [(DIGITS, 3), (DIGITS, 10), (DIGITS, 50), (TUMORS, 8)],
    ids=["digits-3", "digits-10", "digits-50", "tumors-8"],
)
def test_one_pass_is_as_good_as_scikit_learns_k_means_plus_plus(rows: np.ndarray, k: int) -> None:
    # Both end in local optima, which the seed decides: the means of some seeds are compared
    ours = [ssd(trained(rows, k=k, seed=seed).centers, rows) for seed in range(3)]
    peer = [KMeans(k, n_init=1, random_state=seed).fit(rows).inertia_ for seed in range(8)]
    assert np.mean(ours) <= 1.01 * np.mean(peer)


def test_many_mini_batches_are_as_good_as_one() -> None:
    small = [
        ssd(trained(k=10, mini_batch_size=100, seed=seed).centers, DIGITS) for seed in range(3)
    ]
    peer = [KMeans(10, n_init=1, random_state=seed).fit(DIGITS).inertia_ for seed in range(8)]
    assert np.mean(small) <= 1.01 * np.mean(peer)


def test_sorted_rows_are_clustered_as_well_as_shuffled_ones() -> None:
    # The first mini-batch, where all centers begin, has zeros and a few ones only
    order = np.argsort(DIGIT, kind="stable")
    hyperparameters: dict[str, Any] = {"k": 10, "mini_batch_size": 200, "extra_center_factor": 5}
    sorted_ssd = ssd(trained(DIGITS[order], **hyperparameters).centers, DIGITS)
    assert sorted_ssd <= 1.02 * ssd(trained(DIGITS, **hyperparameters).centers, DIGITS)


def test_train_msd_is_that_of_the_training_rows() -> None:
    model, listener = heard(DIGITS, k=10)
    # All rows are in the sample that the centers are refined on; distances are float32 products
    expected = ssd(model.centers, DIGITS) / len(DIGITS)
    assert listener.values("train:msd") == [pytest.approx(expected, rel=1e-4)]
    assert any("train msd <loss>=" in line for line in listener.lines)


def test_rows_beyond_the_sample_are_counted_by_their_extra_centers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("clary.algorithms.kmeans.fit._SAMPLE_ROWS", 300)
    monkeypatch.setattr("clary.algorithms.kmeans.fit._SAMPLE_ROWS_A_CLUSTER", 30)
    peer = [KMeans(10, n_init=1, random_state=seed).fit(DIGITS).inertia_ for seed in range(8)]
    models = [trained(k=10, mini_batch_size=500, seed=seed) for seed in range(3)]
    assert np.mean([ssd(model.centers, DIGITS) for model in models]) <= 1.02 * np.mean(peer)
    for model in models:
        assert model.sizes is not None
        # Strata keep their weight whatever the sample has of them; sums are float32
        assert model.sizes.sum() == pytest.approx(len(DIGITS), rel=1e-5)


def test_k_centers_come_out_however_few_rows_differ() -> None:
    rows = np.repeat(DIGITS[:3], 20, axis=0)
    model = trained(rows, k=5)
    assert model.centers.shape == (5, 64)
    assert ssd(model.centers, rows) == pytest.approx(0, abs=1e-3)


def test_as_many_clusters_as_rows_leave_no_distance() -> None:
    rows = DIGITS[:40]
    assert ssd(trained(rows, k=40).centers, rows) == pytest.approx(0, abs=1e-3)


def test_feature_dim_is_settled_when_left_out_and_held_against_the_rows() -> None:
    model, listener = heard(DIGITS, k=3)
    assert model.params.feature_dim == 64
    assert "feature_dim: settled as 64" in listener.lines
    with pytest.raises(CallerError, match="must have 63 features"):
        trained(k=3, feature_dim=63)


def test_each_epoch_is_a_pass_and_makes_the_extra_centers_better() -> None:
    _, listener = heard(DIGITS, k=10, epochs=4, mini_batch_size=300)
    assert listener.values("train:progress") == [25, 50, 75, 100]
    assert len(listener.values("train:throughput")) == 4
    once, often = (_merged_loss(epochs) for epochs in (1, 4))
    assert often < once


def _merged_loss(epochs: int) -> float:
    """What the extra centers themselves lose: with a factor of 1 merging has nothing to do."""
    passes: dict[str, Any] = {"epochs": epochs, "mini_batch_size": 200, "extra_center_factor": 1}
    briefly: dict[str, Any] = {"local_lloyd_max_iter": 1, "local_lloyd_tol": 1}
    models = [trained(k=50, seed=seed, **passes, **briefly) for seed in range(4)]
    return float(np.mean([ssd(model.centers, DIGITS) for model in models]))


@pytest.mark.parametrize(("factor", "extra"), [(1, 20), (4, 80), ("auto", 200)])
def test_k_times_extra_center_factor_centers_are_merged_to_k(factor: Any, extra: int) -> None:
    model, listener = heard(DIGITS, k=20, extra_center_factor=factor)
    assert f"merging {extra} centers into 20" in listener.lines
    assert model.centers.shape == (20, 64)
    assert model.params.extra_center_factor == extra // 20


def test_the_more_clusters_the_fewer_extra_centers_on_auto() -> None:
    factors = [trained(DIGITS, k=k).params.extra_center_factor for k in (8, 40, 200)]
    assert factors == [10, 6, 4]


def test_with_a_half_life_centers_follow_the_newest_rows() -> None:
    old, new = DIGITS[DIGIT < 5], DIGITS[DIGIT >= 5]
    rows = np.concatenate([old, new])
    steady = trained(rows, k=10, mini_batch_size=100)
    fading = trained(rows, k=10, mini_batch_size=100, half_life_time_size=100)
    # 896 newer rows are nine half-lives: the older ones weigh a five-hundredth
    assert ssd(fading.centers, new) < 0.9 * ssd(steady.centers, new)
    assert ssd(fading.centers, old) > 1.1 * ssd(steady.centers, old)
    assert fading.sizes is not None
    assert fading.sizes.sum() < 200


def test_k_means_plus_plus_begins_with_centers_further_apart() -> None:
    def beginning(method: str, seed: int) -> float:
        run = running(TUMORS, {"k": 8, "extra_center_factor": 1, "init_method": method})
        centers = first_centers(run, TUMORS.shape[1], np.random.default_rng(seed))
        return ssd(centers.positions + centers.origin, TUMORS)

    spread = [beginning("kmeans++", seed) for seed in range(8)]
    chance = [beginning("random", seed) for seed in range(8)]
    assert np.mean(spread) < 0.7 * np.mean(chance)
    models = [trained(k=10, init_method=method).centers for method in ("kmeans++", "random")]
    assert not np.array_equal(*models)


def test_centers_begin_in_the_first_mini_batch() -> None:
    run = running(DIGITS, {"k": 10, "mini_batch_size": 150, "extra_center_factor": 5})
    centers = first_centers(run, 64, np.random.default_rng(0))
    begun = np.round(centers.positions + centers.origin).astype(np.float32)
    first = {row.tobytes() for row in DIGITS[:150]}
    assert len(begun) == 50
    assert all(row.tobytes() in first for row in begun)


@pytest.mark.parametrize("trials", [1, 4])
def test_the_best_of_several_trials_is_kept(trials: int) -> None:
    model, listener = heard(DIGITS, k=10, local_lloyd_num_trials=trials)
    attempts = [line for line in listener.lines if line.startswith("attempt")]
    assert len(attempts) == trials == model.params.local_lloyd_num_trials


def test_the_more_clusters_the_fewer_trials_on_auto() -> None:
    trials = [trained(k=k).params.local_lloyd_num_trials for k in (8, 100, 400)]
    assert trials == [10, 5, 3]


def _attempts(**hyperparameters: Any) -> list[float]:
    """Mean square distances of merging."""
    _, listener = heard(DIGITS, k=20, local_lloyd_num_trials=8, **hyperparameters)
    lines = [line for line in listener.lines if line.startswith("attempt")]
    return [float(line.split()[-1]) for line in lines]


def test_merging_begins_better_with_k_means_plus_plus() -> None:
    by_chance = _attempts(local_lloyd_init_method="random", local_lloyd_max_iter=1)
    spread = _attempts(local_lloyd_init_method="kmeans++", local_lloyd_max_iter=1)
    assert np.mean(spread) < np.mean(by_chance)


@pytest.mark.parametrize(
    ("early", "late"),
    [
        ({"local_lloyd_max_iter": 1}, {"local_lloyd_max_iter": 300}),
        ({"local_lloyd_tol": 0.5}, {"local_lloyd_tol": 0}),
    ],
    ids=["max_iter", "tol"],
)
def test_merging_ends_where_cap_or_tolerance_say(
    early: dict[str, float], late: dict[str, float]
) -> None:
    assert np.mean(_attempts(**early)) > np.mean(_attempts(**late))
    quick, thorough = trained(k=20, **early), trained(k=20, **late)
    assert ssd(quick.centers, DIGITS) > ssd(thorough.centers, DIGITS)


@pytest.mark.parametrize("names", [["msd"], ["ssd"], ["msd", "ssd"]])
def test_the_asked_scores_are_those_of_the_test_rows(names: list[str]) -> None:
    model = trained(DIGITS[:900], k=10, eval_metrics=names)
    loss = ssd(model.centers, DIGITS[900:])
    scores = {"msd": loss / 897, "ssd": loss}
    found = model.evaluate(MemoryChannel("test", Batch(DIGITS[900:])))
    # Distances are answered in float32
    assert found == {f"test:{name}": pytest.approx(scores[name], rel=1e-5) for name in names}


def test_weights_count_like_repeated_rows() -> None:
    weights = np.where(DIGIT < 2, 5, 1).astype(np.float32)
    weighted = trained(Batch(DIGITS, weights=weights), k=10)
    repeated = np.repeat(DIGITS, weights.astype(int), axis=0)
    ours = ssd(weighted.centers, repeated)
    assert ours <= 1.01 * KMeans(10, n_init=3, random_state=0).fit(repeated).inertia_
    assert weighted.sizes is not None
    assert weighted.sizes.sum() == pytest.approx(len(repeated))


def test_rows_without_weight_move_nothing() -> None:
    stray = np.full((200, 64), 1000, np.float32)
    weights = np.concatenate([np.ones(len(DIGITS)), np.zeros(200)]).astype(np.float32)
    model = trained(Batch(np.concatenate([DIGITS, stray]), weights=weights), k=10)
    assert model.centers.max() <= 16


def test_sparse_rows_give_the_clusters_of_dense_rows() -> None:
    sparse = one_hot(DIGITS[:700])
    assert sparse.nnz < 0.05 * sparse.shape[0] * sparse.shape[1]
    dense = sparse.toarray()
    peer = [KMeans(10, n_init=1, random_state=seed).fit(dense).inertia_ for seed in range(8)]
    ours = [trained(sparse, k=10, seed=seed) for seed in range(3)]
    assert np.mean([ssd(model.centers, dense) for model in ours]) <= 1.01 * np.mean(peer)
    told, expected = ours[0].predict(Batch(sparse)), ours[0].predict(Batch(dense))
    np.testing.assert_array_equal(told["closest_cluster"], expected["closest_cluster"])
    np.testing.assert_allclose(
        told["distance_to_cluster"], expected["distance_to_cluster"], rtol=1e-5
    )
    np.testing.assert_allclose(
        ours[0].distances(Batch(sparse)), ours[0].distances(Batch(dense)), rtol=1e-5
    )


def test_an_offset_far_from_zero_changes_nothing() -> None:
    # Whole numbers, so that the moved rows are exact in float32
    plain, moved = trained(k=10), trained(DIGITS + 8192, k=10)
    assert ssd(moved.centers - 8192, DIGITS) == pytest.approx(ssd(plain.centers, DIGITS), rel=0.01)


@pytest.mark.parametrize("rows", [DIGITS, one_hot(DIGITS)], ids=["dense", "sparse"])
def test_one_and_two_threads_give_the_same_bytes(
    rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    models: list[KMeansModel] = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        models.append(trained(rows, k=10, mini_batch_size=700, epochs=2))
    assert len({model.centers.tobytes() for model in models}) == 1


def test_seeds_decide() -> None:
    one, same, other = (trained(k=10, seed=seed).centers for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("rows", "hyperparameters", "said"),
    [
        (DIGITS[:9], {"k": 10}, "channel train: must have at least as many rows as k, 10, got 9"),
        (DIGITS, {"k": 10, "feature_dim": 65}, "must have 65 features .*, got 64"),
        (DIGITS, {"k": 0}, "k: must be at least 1, got 0"),
        (DIGITS, {"k": 3, "eval_metrics": '["mse"]'}, "eval_metrics"),
        (DIGITS, {"k": 3, "local_lloyd_tol": 1.5}, "local_lloyd_tol: must be at most 1"),
        (DIGITS, {}, "k"),
    ],
    ids=["few-rows", "feature-dim", "k", "eval-metrics", "tol", "without-k"],
)
def test_what_cannot_be_clustered_is_refused_with_one_sentence(
    rows: np.ndarray, hyperparameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(CallerError, match=said) as refused:
        trained(rows, **hyperparameters)
    assert len(refused.value.faults) == 1


@pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")
@pytest.mark.parametrize("rows", [DIGITS, one_hot(DIGITS)], ids=["dense", "sparse"])
def test_numbers_whose_squares_overflow_are_refused(rows: Any) -> None:
    with pytest.raises(CallerError, match=r"channel train: numbers must be below 1e\+17"):
        trained(rows * np.float32(1e30), k=3)


def test_rows_without_any_weight_are_refused() -> None:
    with pytest.raises(CallerError, match="some row must have a weight above 0"):
        trained(Batch(DIGITS, weights=np.zeros(len(DIGITS), np.float32)), k=3)


def test_of_wide_sparse_rows_as_many_are_sampled_as_their_numbers_have_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = one_hot(DIGITS)
    stored = 2 * rows.nnz / rows.shape[0]
    monkeypatch.setattr("clary.algorithms.kmeans.fit._SAMPLE_SIZE", int(500 * stored))
    sizes: list[int] = []

    def noted(size: int, *rest: Any) -> Sample:
        sizes.append(size)
        return Sample(size, *rest)

    monkeypatch.setattr("clary.algorithms.kmeans.fit.Sample", noted)
    trained(rows, k=3)
    trained(rows.toarray(), k=3)
    assert sizes == [pytest.approx(500, abs=1), int(500 * stored) // 1024]


def test_a_stopped_training_keeps_what_it_has() -> None:
    run = running(DIGITS, {"k": 5, "epochs": 1000, "mini_batch_size": 300})
    run.stopping.set()
    model = fit(run)
    assert isinstance(run.reporter, Listener)
    assert run.train.rows_read == 300
    # Of the first 300 rows only
    assert model.sizes is not None
    assert model.sizes.sum() == pytest.approx(300)


def test_a_stopped_training_still_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for grace_seconds in (30.0, 0.0):
        monkeypatch.setattr("clary.algorithms.kmeans.fit._GRACE_SECONDS", grace_seconds)
        run = running(DIGITS, {"k": 10})
        run.stopping.set()
        found.append(ssd(fit(run).centers, DIGITS))
    # At once: neither merging nor refining has an iteration left
    assert found[0] < 0.95 * found[1]
