"""Answers: the forms of SageMaker's server, byte for byte where they are known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from clary import settings
from clary.algorithms.xgboost.model import XGBoostModel
from clary.algorithms.xgboost.objectives import KEYS, SELECTABLE
from clary.algorithms.xgboost.respond import respond, selected
from clary.codecs.batch import Batch
from clary.codecs.content_type import CSV, JSON, JSONLINES, RECORDIO, ContentType
from clary.errors import CallerError
from tests.algorithms.xgboost.training import rows, trained
from tests.codecs.record_schema import unframed

SERVING = replace(settings.serving(), batch=False, inference_output=(), ensemble=True)


class Told(XGBoostModel):
    """A model whose predictions are known."""

    def __init__(self, objective: str, score: Any, num_class: int | None = None) -> None:
        self._known = objective, np.asarray(score, np.float32), num_class
        self.boosters = []

    objective = property(lambda self: self._known[0])  # type: ignore[assignment]
    num_class = property(lambda self: self._known[2])  # type: ignore[assignment]

    def predict(self, batch: Batch) -> dict[str, Any]:
        return {"score": self._known[1]}


NO_ROWS = Batch(np.zeros((0, 1), np.float32))
SCALAR = Told("binary:logistic", [0.43861907720565796, 0.06350000202655792])
SEVERAL = Told("multi:softprob", [[0.125, 0.625, 0.25], [0.25, 0.25, 0.5]], 3)


def answer(model: XGBoostModel, kind: str, **serving: Any) -> bytes:
    """The bytes of an answer."""
    return respond(model, NO_ROWS, ContentType(kind), replace(SERVING, **serving))


def test_csv_is_one_row_a_line() -> None:
    assert answer(SCALAR, CSV) == b"0.43861907720565796\n0.06350000202655792\n"
    assert answer(SEVERAL, CSV) == b"0.125,0.625,0.25\n0.25,0.25,0.5\n"


def test_json_is_a_list_of_scores() -> None:
    assert json.loads(answer(SCALAR, JSON)) == {
        "predictions": [{"score": 0.43861907720565796}, {"score": 0.06350000202655792}]
    }
    assert json.loads(answer(SEVERAL, JSON))["predictions"][1] == {"score": [0.25, 0.25, 0.5]}


def test_jsonlines_and_records_are_written_too() -> None:
    assert answer(SEVERAL, JSONLINES).splitlines()[0] == b'{"score": [0.125, 0.625, 0.25]}'
    assert records(answer(SEVERAL, RECORDIO)) == [
        {"score": [0.125, 0.625, 0.25]},
        {"score": [0.25, 0.25, 0.5]},
    ]


@pytest.mark.parametrize("kind", [CSV, JSON, JSONLINES, RECORDIO])
def test_a_batch_transform_gets_a_line_a_row_whatever_it_accepts(kind: str) -> None:
    assert answer(SCALAR, kind, batch=True) == b"0.43861907720565796\n0.06350000202655792\n"
    assert answer(SEVERAL, kind, batch=True) == b"[0.125, 0.625, 0.25]\n[0.25, 0.25, 0.5]\n"


def test_chosen_keys_are_written_in_every_form() -> None:
    model = Told("binary:logistic", [0.625, 0.125])
    keys = ("predicted_label", "probabilities")
    first = {"predicted_label": 1, "probabilities": [0.375, 0.625]}
    second = {"predicted_label": 0, "probabilities": [0.875, 0.125]}
    asked: dict[str, Any] = {"inference_output": keys}
    assert json.loads(answer(model, JSON, **asked)) == {"predictions": [first, second]}
    lines = answer(model, JSONLINES, **asked).splitlines()
    assert lines[0] == b'{"predicted_label": 1, "probabilities": [0.375, 0.625]}'
    assert answer(model, CSV, **asked) == b'1,"[0.375, 0.625]"\n0,"[0.875, 0.125]"'
    assert records(answer(model, RECORDIO, **asked)) == [
        {"predicted_label": [1.0], "probabilities": [0.375, 0.625]},
        {"predicted_label": [0.0], "probabilities": [0.875, 0.125]},
    ]
    # A batch transform gives way to chosen keys
    assert answer(model, CSV, batch=True, **asked) == answer(model, CSV, **asked)


def test_a_key_that_the_objective_does_not_have_is_not_a_number() -> None:
    model = Told("reg:squarederror", [1.5])
    asked: dict[str, Any] = {"inference_output": ("predicted_score", "probability")}
    assert answer(model, JSON, **asked) == (
        b'{"predictions": [{"predicted_score": 1.5, "probability": NaN}]}'
    )
    assert answer(model, CSV, **asked) == b"1.5,nan"


EXPECTED: dict[str, tuple[Any, int | None, dict[str, Any]]] = {
    "binary:logistic": (
        0.25,
        None,
        {
            "predicted_label": 0,
            "labels": [0, 1],
            "probability": 0.25,
            "probabilities": [0.75, 0.25],
            "raw_score": 0.25,
            "raw_scores": [0.75, 0.25],
        },
    ),
    "binary:logitraw": (
        0.25,
        None,
        {
            "predicted_label": 1,
            "labels": [0, 1],
            "raw_score": 0.25,
            "raw_scores": [-0.25, 0.25],
        },
    ),
    "binary:hinge": (
        1.0,
        None,
        {"predicted_label": 1.0, "labels": [0, 1], "raw_score": 1.0, "raw_scores": [0.0, 1.0]},
    ),
    "multi:softmax": (
        2.0,
        3,
        {
            "predicted_label": 2.0,
            "labels": [0, 1, 2],
            "raw_score": 2.0,
            "raw_scores": [0.0, 0.0, 1.0],
        },
    ),
    "multi:softprob": (
        [0.125, 0.625, 0.25],
        3,
        {
            "predicted_label": 1,
            "labels": [0, 1, 2],
            "probability": 0.625,
            "probabilities": [0.125, 0.625, 0.25],
            "raw_score": 0.625,
            "raw_scores": [0.125, 0.625, 0.25],
        },
    ),
    "reg:squarederror": (-1.5, None, {"predicted_score": -1.5}),
    "reg:logistic": (0.5, None, {"predicted_score": 0.5}),
    "reg:gamma": (1.5, None, {"predicted_score": 1.5}),
    "reg:absoluteerror": (1.5, None, {"predicted_score": 1.5}),
    "reg:tweedie": (1.5, None, {"predicted_score": 1.5}),
}


@pytest.mark.parametrize("objective", SELECTABLE)
def test_each_objective_has_its_keys(objective: str) -> None:
    score, num_class, wanted = EXPECTED[objective]
    found = selected(objective, num_class, np.asarray([score], np.float32), KEYS)
    told = {key: values.tolist()[0] for key, values in found.items()}
    assert list(told) == list(KEYS)
    for key in KEYS:
        if key in SELECTABLE[objective]:
            assert told[key] == wanted[key]
            assert type(told[key]) is type(wanted[key])
        else:
            assert np.isnan(told[key])


def test_objectives_without_keys_and_unknown_keys_are_refused() -> None:
    score = np.zeros(1, np.float32)
    with pytest.raises(CallerError, match="SAGEMAKER_INFERENCE_OUTPUT: has no keys for"):
        selected("count:poisson", None, score, ["predicted_score"])
    with pytest.raises(CallerError, match=r"must name some of predicted_label.*, got 'score'"):
        selected("reg:gamma", None, score, ["predicted_score", "score"])


def test_the_first_of_several_models_answers_alone_where_that_is_wanted() -> None:
    train, validation = rows("regression")
    params = {"num_round": 2, "_kfold": 3}
    model, _ = trained(params, train)
    few = validation.slice(0, 3)
    together = respond(model, few, ContentType(CSV), SERVING)
    alone = respond(model, few, ContentType(CSV), replace(SERVING, ensemble=False))
    told = [float(line) for line in alone.splitlines()]
    assert told == np.asarray(model.first().predict(few)["score"]).tolist()
    assert together != alone


def records(payload: bytes) -> list[dict[str, list[float]]]:
    """The numbers under the labels of records."""
    return [
        {key: list(value.float32_tensor.values) for key, value in record.label.items()}
        for record in unframed(payload)
    ]
