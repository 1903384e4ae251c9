"""Each question sees the fault that it is there for, in an algorithm that is otherwise right."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clary import settings
from clary.checks.questions import QUESTIONS, ask
from clary.checks.trainings import Trainings
from clary.codecs.batch import Batch
from clary.kit.model import Outputs
from clary.kit.run import Run
from tests.runtime import column_means
from tests.runtime.column_means import ALGORITHM, ColumnMeansModel

pytestmark = pytest.mark.usefixtures("third_party")

fit = column_means.fit
predict = ColumnMeansModel.predict

BY_NAME = {question.__name__: question for question in QUESTIONS}


def told(question: str, folder: Path, algorithm: Any = ALGORITHM) -> Any:
    return ask(BY_NAME[question], Trainings(algorithm, folder))


@pytest.mark.parametrize("question", [name for name in BY_NAME if name != "hosts_agree"])
def test_an_algorithm_of_a_third_party_answers(question: str, tmp_path: Path) -> None:
    answer = told(question, tmp_path)
    assert answer.state == "passed", answer.detail


def test_hosts_that_learn_something_else_are_seen(tmp_path: Path) -> None:
    # The decayed mean of two hosts' rows is not that of one
    answer = told("hosts_agree", tmp_path)
    assert answer.state == "failed"
    assert "apart, declared 0.0001" in answer.detail


def by_the_clock(run: Run[Any]) -> Any:
    model = fit(run)
    return ColumnMeansModel(model.means + time.time() % 1, model.params)


def by_threads(run: Run[Any]) -> Any:
    model = fit(run)
    return ColumnMeansModel(model.means + settings.threads(), model.params)


def by_blocks(run: Run[Any]) -> Any:
    """How many blocks there are depends on files, formats and pipes."""
    run.train.sample(1_000_000)
    seen = len(run.train._ahead)
    model = fit(run)
    return ColumnMeansModel(model.means + seen, model.params)


def by_nothing(run: Run[Any]) -> Any:
    """An earlier model is let be, whatever it is."""
    return fit(replace(run, initial_model=None))


def talking(run: Run[Any]) -> Any:
    run.log("#quality_metric: host=algo-1, train beauty <score>=1.0")
    return fit(run)


@pytest.mark.parametrize(
    ("question", "faulty", "detail"),
    [
        ("seeds_decide", by_the_clock, "the models differ"),
        ("threads_change_nothing", by_threads, "the models differ"),
        ("input_modes_agree", by_blocks, "gives another model"),
        ("training_goes_on", by_nothing, "the earlier model changes nothing"),
        ("metrics_are_reported", talking, "no declared metric is in the line"),
    ],
)
def test_a_fault_of_fit_is_seen(
    question: str,
    faulty: Callable[[Run[Any]], Any],
    detail: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(column_means, "fit", faulty)
    answer = told(question, tmp_path)
    assert answer.state == "failed", answer.detail
    assert detail in answer.detail


def test_a_value_that_is_not_in_the_log_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlike_the_log(run: Run[Any]) -> Any:
        model = fit(run)
        run.reporter.metric("train:norm", -1.0, 0)
        return model

    monkeypatch.setattr(column_means, "fit", unlike_the_log)
    assert "train:norm: -1.0 was reported" in told("metrics_are_reported", tmp_path).detail


def _unchecked(model: ColumnMeansModel, batch: Batch) -> Outputs:
    return {"distance": np.zeros(batch.rows)}


def _by_form(model: ColumnMeansModel, batch: Batch) -> Outputs:
    """Sparse rows get another answer than dense ones."""
    return {"distance": predict(model, batch)["distance"] + batch.is_sparse}


def _forgetful(model: ColumnMeansModel, folder: Path) -> None:
    np.save(folder / "means.npy", model.means * 2)


@pytest.mark.parametrize(
    ("question", "method", "faulty", "detail"),
    [
        ("bad_data_are_refused", "predict", _unchecked, "were answered by a model of 6"),
        ("requests_and_answers", "predict", _by_form, "distance differs by"),
        ("saving_keeps_answers", "save", _forgetful, "saved again, the files differ"),
    ],
)
def test_a_fault_of_the_model_is_seen(
    question: str,
    method: str,
    faulty: Callable[..., Any],
    detail: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ColumnMeansModel, method, faulty)
    answer = told(question, tmp_path)
    assert answer.state == "failed", answer.detail
    assert detail in answer.detail
