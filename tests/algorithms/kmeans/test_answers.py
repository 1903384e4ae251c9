"""Requests and answers have the forms that SageMaker documents for k-means."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from clary import settings
from clary.algorithms.kmeans.model import KMeansModel
from clary.algorithms.kmeans.spec import KMeansHyperparameters
from clary.runtime.negotiate import answer
from tests.codecs.record_schema import Record, framed
from tests.codecs.records import record

# (0.25, 0.75) is half away from the last center, (5, 4) one and a quarter from the first
CENTERS = np.array([[6.25, 4.0], [-8.0, -8.0], [0.25, 1.25]], np.float32)
MODEL = KMeansModel(CENTERS, KMeansHyperparameters.parse({"k": 3, "feature_dim": 2}))
REQUESTS = {
    "text/csv": b"0.25,0.75\n5.0,4.0\n",
    "application/json": json.dumps(
        {
            "instances": [
                {"features": [0.25, 0.75]},
                {"data": {"features": {"values": [5.0, 4.0]}}},
            ]
        }
    ).encode(),
    "application/jsonlines": b'{"features": [0.25, 0.75]}\n{"features": [5.0, 4.0]}\n',
    "application/x-recordio-protobuf": b"".join(
        framed(record(row).SerializeToString()) for row in ([0.25, 0.75], [5.0, 4.0])
    ),
}
ANSWERS = [
    {"closest_cluster": 2.0, "distance_to_cluster": 0.5},
    {"closest_cluster": 0.0, "distance_to_cluster": 1.25},
]


def answered(asked: str, told: str) -> bytes:
    body, content_type = answer(MODEL, REQUESTS[asked], asked, told, settings.serving())
    assert content_type == told
    return body


@pytest.mark.parametrize("asked", REQUESTS)
def test_json_answers_are_predictions_of_cluster_and_distance(asked: str) -> None:
    assert json.loads(answered(asked, "application/json")) == {"predictions": ANSWERS}


@pytest.mark.parametrize("asked", REQUESTS)
def test_json_lines_answers_have_one_object_a_row(asked: str) -> None:
    lines = answered(asked, "application/jsonlines").splitlines()
    assert [json.loads(line) for line in lines] == ANSWERS


@pytest.mark.parametrize("asked", REQUESTS)
def test_csv_answers_are_cluster_and_distance(asked: str) -> None:
    assert answered(asked, "text/csv").decode().splitlines() == ["2.0,0.5", "0.0,1.25"]


@pytest.mark.parametrize("asked", REQUESTS)
def test_recordio_answers_have_one_record_a_row_with_both_as_labels(asked: str) -> None:
    body = answered(asked, "application/x-recordio-protobuf")
    found = []
    while body:
        _, length = struct.unpack("<II", body[:8])
        message = Record.FromString(body[8 : 8 + length])
        found.append(
            {name: value.float32_tensor.values[:] for name, value in message.label.items()}
        )
        body = body[8 + length + -length % 4 :]
    assert found == [{name: [value] for name, value in row.items()} for row in ANSWERS]
