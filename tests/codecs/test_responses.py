from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from clary.codecs.content_type import parse_content_type
from clary.codecs.record_writing import write_dense
from clary.codecs.responses import encode_answers
from clary.errors import NotAcceptable
from clary.spec.outputs import Inference, Output
from tests.codecs.record_schema import unframed

CLUSTERS = Inference(outputs=(Output("closest_cluster", ""), Output("distance_to_cluster", "")))
CLASSES = Inference(
    outputs=(Output("score", "", vector="num_classes"), Output("predicted_label", "", "integer"))
)
PROJECTION = Inference(
    outputs=(Output("projection", "", vector="num_components"),), json_top="projections"
)

# What SageMaker's own classes write for the first row below
KMEANS_RECORD = (
    "0a23d7ce3e000000121b0a0f636c6f736573745f636c7573746572120812060a0400004040"
    "121f0a1364697374616e63655f746f5f636c7573746572120812060a040000803e0000"
)


def _encoded(outputs: dict[str, Any], inference: Inference, content_type: str) -> bytes:
    arrays = {name: np.array(values, np.float32) for name, values in outputs.items()}
    return encode_answers(arrays, inference, parse_content_type(content_type))


ROWS = {"distance_to_cluster": [0.25, 1.5], "closest_cluster": [3, 0]}
VECTORS = {"score": [[0.25, 0.75], [1, 0]], "predicted_label": [1, 0]}


def test_json_has_all_answers_under_one_key_in_the_order_of_the_declaration() -> None:
    assert _encoded(ROWS, CLUSTERS, "application/json") == (
        b'{"predictions":[{"closest_cluster":3.0,"distance_to_cluster":0.25},'
        b'{"closest_cluster":0.0,"distance_to_cluster":1.5}]}'
    )
    assert json.loads(_encoded({"projection": [[1, 2]]}, PROJECTION, "application/json")) == {
        "projections": [{"projection": [1, 2]}]
    }


def test_json_lines_have_an_object_a_row_and_no_newline_at_the_end() -> None:
    assert _encoded(VECTORS, CLASSES, "application/jsonlines") == (
        b'{"score":[0.25,0.75],"predicted_label":1}\n{"score":[1.0,0.0],"predicted_label":0}'
    )


def test_csv_has_a_line_a_row_and_vectors_as_several_columns() -> None:
    assert _encoded(ROWS, CLUSTERS, "text/csv") == b"3.0,0.25\n0.0,1.5"
    assert _encoded(VECTORS, CLASSES, "text/csv") == b"0.25,0.75,1\n1.0,0.0,0"


def test_records_are_those_of_the_sdk() -> None:
    first = {name: values[:1] for name, values in ROWS.items()}
    assert _encoded(first, CLUSTERS, "application/x-recordio-protobuf").hex() == KMEANS_RECORD


def test_records_hold_the_answers_as_labels() -> None:
    records = unframed(_encoded(VECTORS, CLASSES, "application/x-recordio-protobuf"))
    assert [set(record.label) for record in records] == [{"score", "predicted_label"}] * 2
    assert not any(record.features for record in records)
    scores = [list(record.label["score"].float32_tensor.values) for record in records]
    assert scores == VECTORS["score"]


def test_only_outputs_that_are_there_are_written() -> None:
    few = {"closest_cluster": [1], "unknown": [2]}
    assert _encoded(few, CLUSTERS, "application/jsonlines") == b'{"closest_cluster":1.0}'


def test_what_json_has_no_words_for_becomes_null() -> None:
    outputs = {"closest_cluster": [np.nan, np.inf], "distance_to_cluster": [-np.inf, 1]}
    answers = json.loads(_encoded(outputs, CLUSTERS, "application/json"))["predictions"]
    assert answers == [
        {"closest_cluster": None, "distance_to_cluster": None},
        {"closest_cluster": None, "distance_to_cluster": 1},
    ]
    assert _encoded(outputs, CLUSTERS, "text/csv") == b"NaN,-Infinity\nInfinity,1.0"


def test_no_rows_are_no_answers() -> None:
    none: dict[str, Any] = {"closest_cluster": [], "distance_to_cluster": []}
    assert _encoded(none, CLUSTERS, "application/json") == b'{"predictions":[]}'
    for content_type in ("application/jsonlines", "text/csv", "application/x-recordio-protobuf"):
        assert _encoded(none, CLUSTERS, content_type) == b""


def test_other_types_are_not_acceptable() -> None:
    with pytest.raises(NotAcceptable, match="answers are not written in it"):
        _encoded(ROWS, CLUSTERS, "application/x-parquet")


def test_many_answers_are_written_in_blocks_as_few_are() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((30_000, 20), np.float32)
    out = io.BytesIO()
    write_dense(out, None, {"score": scores})
    records = unframed(out.getvalue())
    assert len(records) == 30_000
    for row in (0, 11_000, 29_999):
        assert list(records[row].label["score"].float32_tensor.values) == scores[row].tolist()
