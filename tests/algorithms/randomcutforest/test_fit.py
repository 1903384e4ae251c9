"""Forests are those of AWS's own library; the sample is dealt as SageMaker deals it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from clary.algorithms.randomcutforest.fit import fit
from clary.algorithms.randomcutforest.model import RandomCutForestModel
from clary.algorithms.randomcutforest.trees import complete
from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.kit.cluster import Cluster
from tests.algorithms.listening import Listener
from tests.algorithms.randomcutforest.training import (
    DIGIT,
    DIGITS,
    MALIGNANT,
    TUMORS,
    peer,
    peer_scores,
    running,
    scores,
    trained,
)
from tests.kit.clusters import on_each


@pytest.mark.parametrize(
    ("rows", "odd"),
    [(TUMORS, MALIGNANT), (DIGITS, DIGIT == 1)],
    ids=["tumors", "digits"],
)
def test_scores_are_those_of_awss_library(rows: np.ndarray, odd: np.ndarray) -> None:
    # Two forests of a thousand trees each, so that chance is small beside what rows differ by
    ours = scores(trained(rows, num_trees=1000, num_samples_per_tree=32), rows)
    theirs = peer_scores(peer(rows, 1000, 32), rows)
    assert spearmanr(ours, theirs).statistic > 0.98
    assert roc_auc_score(odd, ours) == pytest.approx(roc_auc_score(odd, theirs), abs=0.01)
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.01)
    assert np.std(ours) == pytest.approx(np.std(theirs), rel=0.05)


def test_trees_take_what_sagemaker_gives_them_of_small_data() -> None:
    # Of a published run: 4032 rows, 50 trees, 512 asked for; 4032 // 50 in each tree
    rows = np.random.default_rng(0).normal(size=(4032, 1)).astype(np.float32)
    model = trained(rows, num_trees=50, num_samples_per_tree=512)
    assert (model.forest.trees.held == 80).all()
    # Parts of one sample: no row is in two trees
    held = model.forest.trees.points[..., 0]
    assert len(np.unique(held)) == 4000


def test_large_data_fill_every_tree() -> None:
    model = trained(DIGITS, num_trees=50, num_samples_per_tree=20)
    assert (model.forest.trees.held == 20).all()
    assert model.forest.seen == len(DIGITS)


def test_very_few_rows_are_shared_by_the_trees_and_the_log_says_so() -> None:
    run = running(DIGITS[:60], {"num_trees": 50})
    model = fit(run)
    assert (model.forest.trees.held == 32).all()
    assert isinstance(run.reporter, Listener)
    assert "32 of 256 samples per tree, shared by several trees" in run.reporter.lines


@pytest.mark.parametrize("rows", [DIGITS, np.repeat(DIGITS[:40], 20, axis=0)], ids=["", "copies"])
def test_trees_are_whole_and_hold_their_sample(rows: np.ndarray) -> None:
    trees = trained(rows, num_trees=50, num_samples_per_tree=30).forest.trees
    low, high, mass = trees.low.copy(), trees.high.copy(), trees.mass.copy()
    assert complete(trees)
    used = mass > 0
    assert (trees.mass == mass).all()
    assert (trees.low[used] == low[used]).all()
    assert (trees.high[used] == high[used]).all()
    # A tree of n distinct points has n - 1 cuts
    assert (used.sum(axis=1) == (trees.copies > 0).sum(axis=1) - 1).all()


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_the_sample_is_of_old_and_new_rows_as_the_decay_has_it(decay: float) -> None:
    rows = np.arange(2000, dtype=np.float32)[:, None]
    model = trained(rows, num_trees=50, num_samples_per_tree=4, time_decay=decay)
    ages = 1999 - model.forest.trees.points.reshape(-1)
    # Without decay ages are even; with it, of weights that halve every 69 rows, 200 of the sample
    # are the rows that are left of an exhausted recent past
    assert len(np.unique(ages)) == 200
    if decay:
        assert ages.mean() < 250
    else:
        assert ages.mean() == pytest.approx(1000, abs=150)


def test_another_seed_draws_another_forest() -> None:
    first, other = trained(num_trees=50), trained(num_trees=50, seed=1)
    assert not np.array_equal(scores(first, DIGITS), scores(other, DIGITS))


def test_sparse_rows_make_the_same_forest() -> None:
    dense, sparse = trained(num_trees=50), trained(csr_array(DIGITS), num_trees=50)
    assert np.array_equal(scores(dense, DIGITS), scores(sparse, DIGITS))
    told = sparse.predict(Batch(csr_array(DIGITS)))["score"]
    assert np.array_equal(np.asarray(told, np.float64), scores(dense, DIGITS))


def test_hosts_grow_one_forest_of_all_their_rows() -> None:
    parts = [np.ascontiguousarray(DIGITS[place::2]) for place in range(2)]

    def host(cluster: Cluster) -> RandomCutForestModel:
        hyperparameters = {"num_trees": 50, "num_samples_per_tree": 32}
        return fit(running(parts[cluster.rank], hyperparameters, cluster=cluster))

    first, second = on_each(("algo-1", "algo-2"), host)
    assert first.forest.trees.points.tobytes() == second.forest.trees.points.tobytes()
    assert first.forest.seen == len(DIGITS)
    alone = trained(num_trees=50, num_samples_per_tree=32)
    # Two forests of 50 trees over halves of the rows are no more alike than two seeds
    assert spearmanr(scores(first, DIGITS), scores(alone, DIGITS)).statistic > 0.8


@pytest.mark.parametrize("idle", [0, 1])
def test_a_host_without_rows_takes_part(idle: int) -> None:
    parts = [DIGITS, DIGITS]
    parts[idle] = DIGITS[:0]

    def host(cluster: Cluster) -> RandomCutForestModel:
        return fit(running(parts[cluster.rank], {"num_trees": 50}, cluster=cluster))

    first, second = on_each(("algo-1", "algo-2"), host)
    assert first.forest.trees.points.tobytes() == second.forest.trees.points.tobytes()


def test_a_stop_leaves_the_forest_of_the_rows_so_far() -> None:
    rows = np.tile(DIGITS, (6, 1))
    run = running(rows, {"num_trees": 50})
    run.stopping.set()
    assert 0 < fit(run).forest.seen < len(rows)


@pytest.mark.parametrize(
    ("rows", "hyperparameters", "words"),
    [
        (DIGITS[:1], {}, "at least 2 rows"),
        (DIGITS[:4], {"shingle_size": 4}, "at least 5 rows"),
        (DIGITS, {"feature_dim": 3}, "feature_dim"),
        (DIGITS, {"num_trees": 49}, "num_trees: must be at least 50"),
        (DIGITS, {"num_samples_per_tree": 2049}, "at most 2048"),
        (DIGITS, {"eval_metrics": "[f1]"}, "eval_metrics"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    rows: np.ndarray, hyperparameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(CallerError, match=words):
        trained(rows, **hyperparameters)


def test_a_forest_larger_than_memory_is_refused_before_the_data_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLARY_JOB_MEMORY_BYTES", "1000000")
    with pytest.raises(CallerError, match="Take fewer trees or smaller samples"):
        trained(num_trees=100)
