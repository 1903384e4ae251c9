"""Requests and answers have the forms that SageMaker documents; endpoints may follow a stream."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from clary import CallerError, RandomCutForest, settings
from clary.algorithms.randomcutforest.model import RandomCutForestModel
from clary.runtime.negotiate import answer, warm
from tests.algorithms.randomcutforest.training import TUMORS
from tests.codecs.record_schema import Record, framed
from tests.codecs.records import record

ROWS = TUMORS[:200, :2]
ASKED = [[10.5, 1.0], [97.0, 0.0]]
REQUESTS = {
    "text/csv": b"10.5,1\n97,0\n",
    "application/json": json.dumps(
        {
            "instances": [
                {"features": [10.5, 1.0]},
                {"data": {"features": {"keys": [0], "shape": [2], "values": [97.0]}}},
            ]
        }
    ).encode(),
    "application/jsonlines": b'{"features": [10.5, 1.0]}\n'
    b'{"data": {"features": {"values": [97.0, 0.0]}}}\n',
    "application/x-recordio-protobuf": b"".join(
        framed(record(row).SerializeToString()) for row in ASKED
    ),
}
SERVING = settings.serving()


@pytest.fixture
def model() -> RandomCutForestModel:
    return RandomCutForest(num_trees=50, num_samples_per_tree=32, seed=1).fit(ROWS).model_


@pytest.mark.parametrize("asked", list(REQUESTS))
def test_every_request_type_is_answered_with_scores(
    asked: str, model: RandomCutForestModel
) -> None:
    expected = model.forest.scores(np.array(ASKED, np.float32))
    body, kind = answer(model, REQUESTS[asked], asked, "application/json", SERVING)
    assert kind == "application/json"
    told = json.loads(body)
    assert list(told) == ["scores"]
    assert [list(each) for each in told["scores"]] == [["score"], ["score"]]
    assert [each["score"] for each in told["scores"]] == pytest.approx(expected, rel=1e-6)


def test_answers_come_as_lines_and_as_records(model: RandomCutForestModel) -> None:
    expected = model.forest.scores(np.array(ASKED, np.float32))
    body, _ = answer(model, REQUESTS["text/csv"], "text/csv", "application/jsonlines", SERVING)
    assert [json.loads(line)["score"] for line in body.splitlines()] == pytest.approx(expected)
    accept = "application/x-recordio-protobuf"
    body, _ = answer(model, REQUESTS["text/csv"], "text/csv", accept, SERVING)
    first = Record()
    first.ParseFromString(body[8 : 8 + int.from_bytes(body[4:8], "little")])
    (score,) = first.label["score"].float32_tensor.values
    assert score == pytest.approx(expected[0], rel=1e-6)


def test_verbose_answers_have_what_each_feature_adds(model: RandomCutForestModel) -> None:
    accept = "application/json;verbose=true"
    body, _ = answer(model, REQUESTS["text/csv"], "text/csv", accept, SERVING)
    for each in json.loads(body)["scores"]:
        assert list(each) == ["score", "attribution"]
        assert sum(each["attribution"]) == pytest.approx(each["score"], rel=1e-5)


def test_a_series_goes_on_over_all_the_rows_of_a_request() -> None:
    rows = np.random.default_rng(0).normal(size=(60_000, 1)).astype(np.float32)
    forest = RandomCutForest(num_trees=50, num_samples_per_tree=8, shingle_size=3).fit(rows)
    body = b"\n".join(f"{x:.9g}".encode() for x in rows[:, 0])
    told, _ = answer(forest.model_, body, "text/csv", "application/jsonlines", SERVING)
    scores = [json.loads(line)["score"] for line in told.splitlines()]
    assert scores == pytest.approx(-forest.score_samples(rows), rel=1e-6)
    assert sum(score == 0 for score in scores) == 2


def test_an_endpoint_does_not_learn_unless_it_is_told_to(model: RandomCutForestModel) -> None:
    once, _ = answer(model, REQUESTS["text/csv"], "text/csv", None, SERVING)
    again, _ = answer(model, REQUESTS["text/csv"], "text/csv", None, SERVING)
    assert once == again
    assert model.forest.seen == len(ROWS)


@pytest.mark.parametrize("accept", [None, "application/jsonlines", "application/json;verbose=true"])
def test_an_endpoint_that_updates_answers_as_a_stream_does(
    accept: str | None, monkeypatch: pytest.MonkeyPatch, model: RandomCutForestModel
) -> None:
    monkeypatch.setenv("CLARY_UPDATE", "true")
    serving = settings.serving()
    warm(model, serving)
    assert model.forest.seen == len(ROWS)
    twin = RandomCutForest(num_trees=50, num_samples_per_tree=32, seed=1).fit(ROWS)
    for _ in range(3):
        body, _ = answer(model, REQUESTS["text/csv"], "text/csv", accept, serving)
        expected = [twin.score_update(row) for row in ASKED]
        told = json.loads(b"[" + body.replace(b"\n", b",") + b"]")
        each = told[0].get("scores", told)
        assert [one["score"] for one in each] == pytest.approx(expected, rel=1e-6)
    assert model.forest.seen == len(ROWS) + 6


def test_a_request_with_a_faulty_row_changes_nothing(model: RandomCutForestModel) -> None:
    serving = replace(SERVING, update=True)
    with pytest.raises(CallerError):
        answer(model, b"1,2\n1,nan\n", "text/csv", None, serving)
    assert model.forest.seen == len(ROWS)
