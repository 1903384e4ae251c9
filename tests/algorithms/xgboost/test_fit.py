"""Training: the trees are the library's own, whatever way the rows come."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xgboost
from scipy.sparse import csr_array

from clary.algorithms.xgboost import matrices
from clary.algorithms.xgboost.fit import fit
from clary.codecs.batch import Batch
from clary.errors import CallerError
from tests.algorithms.xgboost.training import (
    ALGORITHM,
    plain,
    rows,
    running,
    same_trees,
    trained,
)

OBJECTIVES = [
    ("binary", {"objective": "binary:logistic"}),
    ("binary", {"objective": "binary:logitraw"}),
    ("binary", {"objective": "binary:hinge"}),
    ("multiclass", {"objective": "multi:softmax", "num_class": 3}),
    ("digits", {"objective": "multi:softprob", "num_class": 10, "max_depth": 3}),
    ("regression", {"objective": "reg:squarederror"}),
    ("regression", {"objective": "reg:absoluteerror"}),
    ("regression", {"objective": "reg:pseudohubererror"}),
    ("regression", {"objective": "reg:squaredlogerror"}),
    ("regression", {"objective": "reg:gamma"}),
    ("regression", {"objective": "reg:tweedie", "tweedie_variance_power": 1.3}),
    ("regression", {"objective": "count:poisson", "max_delta_step": 0.5}),
    ("regression", {"objective": "survival:cox"}),
    ("binary", {"objective": "reg:logistic"}),
    ("binary", {"objective": "rank:map"}),
    ("wine", {"objective": "rank:ndcg"}),
    ("wine", {"objective": "rank:pairwise"}),
]
GROWTH: list[dict[str, Any]] = [
    {"subsample": 0.7, "colsample_bytree": 0.6, "seed": 7},
    {"tree_method": "exact", "max_depth": 3},
    {"tree_method": "approx", "max_bin": 16},
    {"tree_method": "hist", "grow_policy": "lossguide", "max_leaves": 5},
    {"tree_method": "hist", "max_bin": 31, "gamma": 0.1, "lambda": 2, "alpha": 0.5},
    {"booster": "dart", "rate_drop": 0.3, "one_drop": 1, "seed": 3},
    {"booster": "gblinear", "updater": "coord_descent", "eta": 0.3},
    {"num_parallel_tree": 3, "subsample": 0.5, "sampling_method": "uniform"},
    {"base_score": 0.3, "scale_pos_weight": 2.5, "min_child_weight": 4},
    {"updater": "grow_colmaker,prune", "gamma": 1},
]


@pytest.mark.parametrize(("kind", "params"), OBJECTIVES, ids=lambda one: str(one))
def test_trees_are_those_of_the_library_for_every_objective(
    kind: str, params: dict[str, Any]
) -> None:
    train, validation = rows(kind)
    model, _ = trained({"num_round": 4, **params}, train, validation)
    assert same_trees(model.boosters[0], plain(params, train, 4))


@pytest.mark.filterwarnings("ignore:.*manually specified the `updater`")
@pytest.mark.parametrize("params", GROWTH, ids=str)
def test_trees_are_those_of_the_library_for_every_way_of_growing(params: dict[str, Any]) -> None:
    train, validation = rows("binary")
    params = {"objective": "binary:logistic", **params}
    model, _ = trained({"num_round": 4, **params}, train, validation)
    assert same_trees(model.boosters[0], plain(params, train, 4))


def test_constraints_reach_the_trees() -> None:
    train, _ = rows("regression")
    monotone = (0, 0, 1, -1, 0, 0, 0, 0, 0, 0)
    groups = [[0, 2], [3, 4, 5]]
    params = {"tree_method": "hist", "num_round": 4}
    model, _ = trained(
        {**params, "monotone_constraints": str(monotone), "interaction_constraints": str(groups)},
        train,
    )
    theirs = {
        "tree_method": "hist",
        "monotone_constraints": monotone,
        "interaction_constraints": str(groups),
    }
    assert same_trees(model.boosters[0], plain(theirs, train, 4))
    assert not same_trees(model.boosters[0], plain({}, train, 4))


def test_bins_of_many_blocks_are_those_of_all_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    train, validation = rows("digits")
    train = replace(train, weights=np.linspace(0.5, 2, train.rows, dtype=np.float32))
    params = {"objective": "multi:softprob", "num_class": 10}
    monkeypatch.setattr(matrices, "_BLOCK_ROWS", 37)
    model, heard = trained({"num_round": 3, "max_bin": 7, **params}, train, validation)
    theirs = plain({"max_bin": 7, **params}, train, 3)
    assert same_trees(model.boosters[0], theirs)
    scores = theirs.eval_set([(xgboost.DMatrix(validation.features, validation.label), "v")], 2)
    assert heard.values("validation:mlogloss")[-1] == float(scores.rpartition(":")[2])


@pytest.mark.parametrize("method", ["hist", "exact"])
def test_absent_entries_of_sparse_rows_are_missing_and_zeros_are_not(method: str) -> None:
    train, validation = rows("digits")
    sparse = Batch(csr_array(train.features), train.label)
    narrow = Batch(csr_array(validation.features[:, :60]), validation.label)
    params = {"objective": "multi:softprob", "num_class": 10, "tree_method": method, "max_depth": 3}
    model, _ = trained({"num_round": 2, **params}, sparse, narrow)
    holes = Batch(np.where(train.features == 0, np.nan, train.features), train.label)
    assert same_trees(model.boosters[0], plain(params, holes, 2))
    dense, _ = trained({"num_round": 2, **params}, train)
    assert not same_trees(model.boosters[0], dense.boosters[0])
    scores = [np.asarray(model.predict(one)["score"]) for one in (sparse, holes)]
    np.testing.assert_array_equal(scores[0], scores[1])


def test_sparse_validation_rows_may_be_wider_than_the_training_rows() -> None:
    train, validation = rows("digits")
    sparse = Batch(csr_array(train.features[:, :60]), train.label)
    wide = Batch(csr_array(validation.features), validation.label)
    model, _ = trained(
        {"num_round": 2, "objective": "multi:softprob", "max_depth": 2}, sparse, wide
    )
    assert model.width == 64


def test_missing_values_go_where_the_library_sends_them() -> None:
    train, _ = rows("regression")
    holes = train.features.copy()
    holes[np.random.default_rng(0).random(holes.shape) < 0.2] = np.nan
    train = replace(train, features=holes)
    model, _ = trained({"num_round": 5}, train)
    assert same_trees(model.boosters[0], plain({}, train, 5))


def test_queries_are_kept_together_and_weighted_once() -> None:
    train, _ = rows("wine")
    qid = np.arange(train.rows) // 10
    weights = (1 + qid % 3).astype(np.float32)
    grouped = replace(train, extras={"qid": qid}, weights=weights)
    params = {"objective": "rank:ndcg"}
    model, heard = trained({"num_round": 3, **params}, grouped)
    matrix = xgboost.DMatrix(train.features, train.label, qid=qid, weight=weights[::10])
    results: dict[str, Any] = {}
    theirs = xgboost.train(
        params, matrix, 3, evals=[(matrix, "train")], evals_result=results, verbose_eval=False
    )
    assert same_trees(model.boosters[0], theirs)
    assert heard.values("train:ndcg") == results["train"]["ndcg@32"]
    uneven = replace(grouped, weights=np.arange(train.rows, dtype=np.float32) + 1)
    with pytest.raises(CallerError, match="weights: must be the same in all rows of a query"):
        trained({"num_round": 3, **params}, uneven)


def test_survival_times_are_exact_censored_or_intervals() -> None:
    train, _ = rows("regression")
    assert train.label is not None
    label = np.where(np.arange(train.rows) % 3, train.label, -train.label)
    params = {"objective": "survival:aft", "aft_loss_distribution": "logistic"}
    matrix = xgboost.DMatrix(train.features)
    ends = train.label, np.where(label > 0, train.label, np.inf)
    matrix.set_info(label_lower_bound=ends[0], label_upper_bound=ends[1])
    theirs = xgboost.train(params, matrix, 4)
    signed, heard = trained({"num_round": 4, **params}, replace(train, label=label))
    assert same_trees(signed.boosters[0], theirs)
    assert "train:aft-nloglik" in {name for name, *_ in heard.metrics}
    intervals, _ = trained({"num_round": 4, **params}, replace(train, label=np.column_stack(ends)))
    assert same_trees(intervals.boosters[0], theirs)


@pytest.mark.parametrize("threads", ["1", "2", "4"])
def test_the_model_has_the_same_bytes_for_any_number_of_threads(
    threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(4000, 12)).astype(np.float32)
    label = (features[:, 0] * features[:, 1] + rng.normal(size=4000) > 0).astype(np.float32)
    params = {"num_round": 15, "objective": "binary:logistic", "subsample": 0.8}
    train = Batch(features, label)
    expected, _ = trained({**params, "nthread": 3}, train)
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    found, _ = trained(params, train)
    assert found.boosters[0].save_raw("ubj") == expected.boosters[0].save_raw("ubj")


def test_shotgun_can_be_repeated_unless_threads_are_asked_for() -> None:
    train, _ = rows("regression")
    params = {"num_round": 5, "booster": "gblinear"}
    first, heard = trained(params, train)
    again, _ = trained(params, train)
    assert first.boosters[0].save_raw("ubj") == again.boosters[0].save_raw("ubj")
    assert any(line.startswith("nthread: shotgun runs on one thread") for line in heard.lines)


def test_the_seed_of_the_run_is_used_unless_the_hyperparameter_is_given() -> None:
    train, _ = rows("binary")
    params = {"objective": "binary:logistic", "subsample": 0.5}
    theirs = [plain({**params, "seed": seed}, train, 3) for seed in (5, 6)]
    run_seed, _ = trained({**params, "num_round": 3}, train, seed=5)
    given, _ = trained({**params, "num_round": 3, "seed": 6}, train, seed=5)
    assert same_trees(run_seed.boosters[0], theirs[0])
    assert same_trees(given.boosters[0], theirs[1])


def test_the_number_of_classes_is_counted_when_it_is_not_given() -> None:
    train, validation = rows("digits")
    model, heard = trained({"num_round": 1, "objective": "multi:softprob"}, train, validation)
    assert model.num_class == model.params.num_class == 10
    assert "num_class: settled as 10" in heard.lines


def test_log_lines_are_matched_by_the_declared_regular_expressions() -> None:
    train, validation = rows("binary")
    params = {
        "num_round": 3,
        "objective": "binary:logistic",
        "eval_metric": "accuracy,auc,f1,rmse,error@0.3",
    }
    _, heard = trained(params, train, validation)
    pattern = r"\[0\](#011(train|validation)-[^\t:#]+:\d+\.\d{5}){10}"
    assert re.fullmatch(pattern, heard.rounds[0])
    names = re.findall(r"#011(\S+?):", heard.rounds[0].replace("#011", " #011"))
    # The engine's come first, then those that SageMaker's image computes
    order = ["auc", "error@0.3", "accuracy", "f1", "rmse"]
    assert names == [f"{channel}-{name}" for channel in ("train", "validation") for name in order]
    for name in ("validation:auc", "train:f1", "validation:rmse"):
        for line, value in zip(heard.rounds, heard.values(name), strict=True):
            found = re.search(ALGORITHM.metric(name).regex, line)
            assert found
            assert found[1].partition("#")[0] == f"{value:.5f}"


def test_metrics_with_a_cut_count_as_the_plain_ones_where_these_are_not_asked_for() -> None:
    train, _ = rows("wine")
    params = {"num_round": 2, "objective": "rank:ndcg"}
    _, alone = trained({**params, "eval_metric": "ndcg@5"}, train)
    assert "train-ndcg@5:" in alone.rounds[0]
    assert len(alone.values("train:ndcg")) == 2
    _, both = trained({**params, "eval_metric": "ndcg@5,ndcg"}, train)
    last = re.search(r"train-ndcg:(\S+)", both.rounds[1])
    assert last
    assert f"{both.values('train:ndcg')[1]:.5f}" == last[1]


@pytest.mark.parametrize(
    ("objective", "metric"), [("rank:ndcg", "ndcg"), ("reg:tweedie", "tweedie-nloglik")]
)
def test_default_metrics_have_the_names_that_are_declared(objective: str, metric: str) -> None:
    train, _ = rows("wine")
    _, heard = trained({"num_round": 1, "objective": objective}, train)
    assert re.search(ALGORITHM.metric(f"train:{metric}").regex, heard.rounds[0])


def test_a_model_may_be_stopped_and_keeps_what_it_has() -> None:
    train, _ = rows("regression")
    run = running({"num_round": 500}, train)
    run.stopping.set()
    model = fit(run)
    assert model.boosters[0].num_boosted_rounds() == 1
    assert "stopped after round [0]: the model is that of the rounds so far" in run.reporter.lines
