"""Hyperparameters on their way to the engine."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from clary.algorithms.xgboost.engine import complaints, engine_for
from clary.algorithms.xgboost.spec import XGBoostHyperparameters
from clary.errors import CallerError
from tests.algorithms.xgboost.training import plain, rows, same_trees, trained


def engine(**given: Any) -> Any:
    return engine_for(XGBoostHyperparameters.parse({"num_round": 1, **given}), "cpu", 1)


@pytest.mark.parametrize(
    ("given", "passed", "notice"),
    [
        ({"tree_method": "gpu_hist"}, {"tree_method": "hist"}, "tree_method: no GPU to use here"),
        ({"objective": "reg:linear"}, {"objective": "reg:squarederror"}, ""),
        (
            {"tree_method": "approx", "sketch_eps": 0.1},
            {"tree_method": "approx", "max_bin": 10},
            "sketch_eps: max_bin 10",
        ),
        ({"sketch_eps": 0.1}, {}, "sketch_eps: no effect"),
        ({"single_precision_histogram": "true"}, {}, "single_precision_histogram: histograms are"),
        ({"deterministic_histogram": "false"}, {}, "deterministic_histogram: histograms are"),
        ({"predictor": "cpu_predictor"}, {}, "predictor: predictions are made where"),
        ({"prob_buffer_row": 5}, {}, "prob_buffer_row: no effect"),
        ({"rate_drop": 0.5}, {}, "rate_drop: no effect, only booster dart drops trees"),
        ({"lambda_bias": 0.5}, {}, "lambda_bias: no effect, the bias of a linear model"),
        (
            {"booster": "gblinear", "max_depth": 3, "nthread": 1},
            {"booster": "gblinear"},
            "max_depth: no effect, booster gblinear grows no trees",
        ),
        (
            {"tweedie_variance_power": 1.2},
            {},
            "tweedie_variance_power: no effect, only objective reg:tweedie has it",
        ),
        ({"num_class": 3}, {}, "num_class: no effect"),
        (
            {"tree_method": "hist", "use_dask_gpu_training": "true"},
            {"tree_method": "hist"},
            "use_dask_gpu_training: trained in one process",
        ),
        ({"csv_weights": 1, "save_model_on_termination": "true", "dsplit": "row"}, {}, ""),
    ],
    ids=str,
)
def test_old_and_useless_hyperparameters_are_mapped_and_said(
    given: dict[str, Any], passed: dict[str, Any], notice: str
) -> None:
    found = engine(**given)
    rest = {"objective", "seed", "nthread", *passed}
    assert found.parameters.keys() == rest
    assert {name: found.parameters[name] for name in passed} == passed
    assert [line.startswith(notice) for line in found.notices] == [True] * bool(notice)


def test_silence_is_verbosity_0() -> None:
    assert engine(silent=1).verbosity == 0
    assert engine(verbosity=2).verbosity == 2
    assert engine().verbosity == 1


def test_the_engine_never_says_that_a_parameter_is_unknown_to_it() -> None:
    train, _ = rows("binary")
    given = {
        "num_round": 1,
        "objective": "binary:logistic",
        "max_depth": 4,
        "rate_drop": 0.3,
        "lambda_bias": 0.1,
        "sketch_eps": 0.2,
        "tweedie_variance_power": 1.2,
        "silent": 0,
        "aft_loss_distribution": "normal",
    }
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for booster in ("gbtree", "dart", "gblinear"):
            trained({**given, "booster": booster}, train)
    said = [str(one.message) for one in heard]
    assert [text for text in said if "is deprecated" not in text] == []


def test_gpu_hist_trains_the_trees_of_hist_where_there_is_no_gpu() -> None:
    train, _ = rows("binary")
    params = {"objective": "binary:logistic"}
    model, heard = trained({**params, "num_round": 3, "tree_method": "gpu_hist"}, train)
    assert same_trees(model.boosters[0], plain({**params, "tree_method": "hist"}, train, 3))
    assert "tree_method: no GPU to use here, gpu_hist is hist on the processors" in heard.lines


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_bin": 1}, "max_bin: must be at least 2"),
        ({"tree_method": "exact", "max_depth": 0}, "max_depth: must be above 0"),
        ({"tree_method": "exact", "colsample_bynode": 0.5}, "colsample_bynode: must be 1"),
        ({"updater": "prune"}, "updater: refresh and prune need process_type update"),
        ({"process_type": "update", "updater": "refresh"}, "process_type: update needs a model"),
        (
            {"tree_method": "hist", "monotone_constraints": [1] * 31},
            "monotone_constraints: must have one number for each of 30 features",
        ),
        (
            {"tree_method": "hist", "interaction_constraints": [[0, 30]]},
            "interaction_constraints: features are 0 to 29 here, got 30",
        ),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:.*manually specified the `updater`")
def test_what_the_engine_cannot_do_is_the_users_to_mend(given: dict[str, Any], words: str) -> None:
    train, _ = rows("binary")
    with pytest.raises(CallerError, match=words):
        trained({"num_round": 2, "objective": "binary:logistic", **given}, train)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"tree_method": "gpu_hist", "use_dask_gpu_training": "true"},
            "use_dask_gpu_training: must be false on several hosts",
        ),
        ({"booster": "gblinear"}, "booster: runs on one host only, got 'gblinear'"),
        ({"objective": "survival:cox"}, "objective: runs on one host only, got 'survival:cox'"),
    ],
    ids=str,
)
def test_what_needs_one_host_is_refused_on_several(given: dict[str, Any], words: str) -> None:
    params = XGBoostHyperparameters.parse({"num_round": 1, **given})
    engine_for(params, "cpu", 1)
    with pytest.raises(CallerError, match=words):
        engine_for(params, "cpu", 2)


def test_faults_of_our_own_are_not_put_on_the_user() -> None:
    import xgboost

    with pytest.raises(xgboost.core.XGBoostError), complaints():
        xgboost.Booster(model_file=bytearray(b"{}"))


def test_threads_are_as_many_as_nthread_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert engine().threads == 3
    assert engine(nthread=5).threads == 5
