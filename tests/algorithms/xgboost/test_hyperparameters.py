"""Every hyperparameter has its effect, or the log says that it has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from clary.data.contents import Contents
from clary.data.files import FolderChannel
from clary.kit.run import Run
from tests.algorithms.listening import Listener
from tests.algorithms.xgboost.training import ALGORITHM, fit, plain, rows, same_trees, trained

BINARY = {"objective": "binary:logistic"}
DART = {**BINARY, "booster": "dart", "rate_drop": 0.5, "eta": 1}
LINEAR = {"booster": "gblinear", "updater": "coord_descent"}
AFT = {"objective": "survival:aft"}

# Where the hyperparameter of that name and value makes other trees, and those of the library
EFFECTS: dict[str, tuple[str, dict[str, Any], Any]] = {
    "alpha": ("binary", BINARY, 5),
    "base_score": ("binary", BINARY, 0.2),
    "booster": ("binary", {**BINARY, "rate_drop": 0.5}, "dart"),
    "colsample_bylevel": ("binary", BINARY, 0.3),
    "colsample_bynode": ("binary", BINARY, 0.3),
    "colsample_bytree": ("binary", BINARY, 0.3),
    "eta": ("binary", BINARY, 0.1),
    "gamma": ("binary", BINARY, 3),
    "grow_policy": ("binary", {**BINARY, "tree_method": "hist", "max_leaves": 6}, "lossguide"),
    "interaction_constraints": ("binary", {**BINARY, "tree_method": "exact"}, "[[0, 20], [3, 23]]"),
    "lambda": ("binary", BINARY, 20),
    "max_bin": ("binary", BINARY, 4),
    "max_delta_step": ("binary", BINARY, 0.1),
    "max_depth": ("binary", BINARY, 2),
    "max_leaves": ("binary", {**BINARY, "grow_policy": "lossguide"}, 3),
    "min_child_weight": ("binary", BINARY, 9),
    "monotone_constraints": ("regression", {"tree_method": "hist"}, "(0,0,-1,0,0,0,0,0,1)"),
    "normalize_type": ("binary", DART, "forest"),
    "objective": ("binary", {}, "binary:logistic"),
    "one_drop": ("binary", {**DART, "rate_drop": 0.01}, 1),
    "rate_drop": ("binary", {**BINARY, "booster": "dart"}, 0.9),
    "sample_type": ("binary", {**DART, "rate_drop": 0.3}, "weighted"),
    "scale_pos_weight": ("binary", BINARY, 3),
    "seed": ("binary", {**BINARY, "subsample": 0.5}, 9),
    "skip_drop": ("binary", DART, 0.9),
    "subsample": ("binary", BINARY, 0.5),
    "tree_method": ("binary", BINARY, "exact"),
    "tweedie_variance_power": ("regression", {"objective": "reg:tweedie"}, 1.1),
    "updater": ("binary", BINARY, "grow_colmaker"),
    "num_parallel_tree": ("binary", {**BINARY, "subsample": 0.5}, 3),
    "sampling_method": ("binary", {**BINARY, "subsample": 0.5}, "gradient_based"),
}
# Where a hyperparameter changes nothing, which the log says
TOLD: dict[str, tuple[dict[str, Any], Any]] = {
    "num_class": (BINARY, 2),
    "csv_weights": (BINARY, 1),
    "deterministic_histogram": (BINARY, "false"),
    "early_stopping_rounds": (BINARY, 1),
    "grow_policy": ({**BINARY, "tree_method": "exact"}, "lossguide"),
    "lambda_bias": (LINEAR, 0.5),
    "max_bin": ({**BINARY, "tree_method": "exact"}, 7),
    "max_depth": (LINEAR, 2),
    "max_leaves": ({**BINARY, "tree_method": "exact"}, 3),
    "rate_drop": (BINARY, 0.5),
    "refresh_leaf": (BINARY, 0),
    "scale_pos_weight": ({"objective": "count:poisson"}, 3),
    "single_precision_histogram": (BINARY, "true"),
    "sketch_eps": (BINARY, 0.2),
    "tree_method": ({**BINARY, "updater": "grow_colmaker"}, "hist"),
    "tweedie_variance_power": (BINARY, 1.1),
    "use_dask_gpu_training": ({**BINARY, "tree_method": "hist"}, "true"),
    "predictor": (BINARY, "gpu_predictor"),
    "prob_buffer_row": (BINARY, 9),
    "aft_loss_distribution": (BINARY, "logistic"),
    "_num_cv_round": (BINARY, 2),
}
# Hyperparameters whose effect is another than on the trees of one training, and where it is shown
SHOWN_BY = {
    "num_class": "test_the_number_of_classes_may_be_more_than_occur",
    "num_round": "test_trees_are_those_of_the_library_for_every_objective",
    "csv_weights": "test_the_second_column_of_csv_is_the_weight_where_csv_weights_is_1",
    "early_stopping_rounds": "test_the_best_rounds_are_kept_as_the_library_does",
    "eval_metric": "test_log_lines_are_matched_by_the_declared_regular_expressions",
    "nthread": "test_threads_are_as_many_as_nthread_says",
    "process_type": "test_trees_are_refreshed_with_other_rows",
    "refresh_leaf": "test_leaves_may_be_kept_while_statistics_are_refreshed",
    "sketch_eps": "test_old_and_useless_hyperparameters_are_mapped_and_said",
    "verbosity": "test_silence_is_verbosity_0",
    "silent": "test_silence_is_verbosity_0",
    "dsplit": "test_what_does_not_go_together_is_refused",
    "aft_loss_distribution": "test_survival_times_are_exact_censored_or_intervals",
    "aft_loss_distribution_scale": "test_predictions_are_those_of_the_library",
    "save_model_on_termination": "test_a_model_may_be_stopped_and_keeps_what_it_has",
    "_kfold": "test_each_row_is_predicted_by_the_model_that_has_not_seen_it",
    "_num_cv_round": "test_repeats_average_numbers",
    "_tuning_objective_metric": "test_the_metric_of_tuning_joins_the_others_and_is_watched",
}


@pytest.mark.filterwarnings("ignore:.*manually specified the `updater`")
@pytest.mark.parametrize("name", EFFECTS)
def test_it_changes_the_trees_as_it_does_the_librarys(name: str) -> None:
    kind, others, value = EFFECTS[name]
    train, _ = rows(kind)
    without, _ = trained({"num_round": 10, **others}, train)
    model, heard = trained({"num_round": 10, **others, name: value}, train)
    theirs = plain({**others, name: value}, train, 10)
    assert same_trees(model.boosters[0], theirs)
    assert not same_trees(model.boosters[0], without.boosters[0])
    assert not [line for line in heard.lines if line.startswith(f"{name}:")]


@pytest.mark.filterwarnings("ignore:.*is deprecated")
@pytest.mark.filterwarnings("ignore:.*manually specified the `updater`")
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", TOLD)
def test_it_changes_nothing_and_the_log_says_so(name: str) -> None:
    others, value = TOLD[name]
    train, _ = rows("binary")
    without, quiet = trained({"num_round": 3, **others}, train)
    model, heard = trained({"num_round": 3, **others, name: value}, train)
    assert same_trees(model.boosters[0], without.boosters[0])
    assert not [line for line in quiet.lines if line.startswith(f"{name}:")]
    assert [line for line in heard.lines if line.startswith(f"{name}:")]


def test_every_hyperparameter_is_looked_at() -> None:
    assert {*EFFECTS, *TOLD, *SHOWN_BY} == set(ALGORITHM.hyperparameters.declared())
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in SHOWN_BY.values() if f"def {name}(" not in tests] == []


def test_the_number_of_classes_may_be_more_than_occur() -> None:
    train, _ = rows("multiclass")
    model, _ = trained({"num_round": 1, "objective": "multi:softprob", "num_class": 5}, train)
    assert np.asarray(model.predict(train)["score"]).shape == (train.rows, 5)


@pytest.mark.parametrize("csv_weights", [0, 1])
def test_the_second_column_of_csv_is_the_weight_where_csv_weights_is_1(
    csv_weights: int, tmp_path: Path
) -> None:
    train, _ = rows("regression")
    weights = np.linspace(0.25, 4, train.rows, dtype=np.float32)
    columns = np.column_stack([train.labels(), weights, train.dense()])
    np.savetxt(tmp_path / "rows.csv", columns, delimiter=",", fmt="%.9g")
    contents = Contents(ALGORITHM.channel("train"), "text/csv", weights=bool(csv_weights))
    params = ALGORITHM.hyperparameters.parse({"num_round": 3, "csv_weights": csv_weights})
    channels = {"train": FolderChannel("train", tmp_path, contents)}
    model = fit(Run(ALGORITHM, params, channels, reporter=Listener()))
    matrix = (
        xgboost.DMatrix(train.features, train.label, weight=weights)
        if csv_weights
        else xgboost.DMatrix(columns[:, 1:], train.label)
    )
    assert same_trees(model.boosters[0], xgboost.train({}, matrix, 3))


def test_leaves_may_be_kept_while_statistics_are_refreshed(tmp_path: Path) -> None:
    train, other = rows("binary")
    first, _ = trained({"num_round": 3, **BINARY}, train)
    first.save(tmp_path)
    update = {**BINARY, "process_type": "update", "updater": "refresh", "num_round": 3}
    scores = []
    for refresh_leaf in (0, 1):
        given = {**update, "refresh_leaf": refresh_leaf}
        model, _ = trained(given, other, initial_model=tmp_path)
        assert not same_trees(model.boosters[0], first.boosters[0])
        scores.append(np.asarray(model.predict(other)["score"]))
    np.testing.assert_array_equal(scores[0], first.predict(other)["score"])
    assert not np.array_equal(scores[1], scores[0])
