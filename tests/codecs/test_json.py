from __future__ import annotations

import io
import json as standard
import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_iris

from clary.codecs import json, jsonlines, lines
from clary.codecs.batch import Batch, concatenate
from clary.codecs.reading import Reading
from clary.errors import CallerError

# Those of SageMaker's page on common data formats, then what follows from them
DENSE: dict[str, Any] = {
    "short dense": {"features": [1.5, 2.0, -3.0]},
    "long dense": {"data": {"features": {"values": [1.5, 2.0, -3.0]}}},
    "empty keys": {"data": {"features": {"keys": [], "shape": [3], "values": [1.5, 2.0, -3.0]}}},
    "configuration": {"configuration": {}, "data": {"features": {"values": [1.5, 2.0, -3.0]}}},
    "named field": {"data": {"any name": [1.5, 2.0, -3.0]}},
    "short shape": {"features": {"shape": [1, 3], "values": [1.5, 2.0, -3.0]}},
}
SPARSE: dict[str, tuple[Any, list[float]]] = {
    "long": (
        {"data": {"features": {"keys": [0, 2], "shape": [3], "values": [1.5, 2.0]}}},
        [1.5, 0, 2],
    ),
    "short": ({"features": {"keys": [2, 0], "shape": [3], "values": [4, 5]}}, [5, 0, 4]),
    "all zero": ({"features": {"keys": [], "shape": [3], "values": []}}, [0, 0, 0]),
    "matrix": ({"features": {"keys": [5], "shape": [2, 3], "values": [1]}}, [0, 0, 0, 0, 0, 1]),
}


def _json(text: str | bytes, **reading: Any) -> Batch:
    data = text.encode() if isinstance(text, str) else text
    [batch] = json.decode(io.BytesIO(data), "body", Reading(**reading))
    return batch


def _lines(text: str | bytes, **reading: Any) -> Batch:
    data = text.encode() if isinstance(text, str) else text
    return concatenate(list(jsonlines.decode(io.BytesIO(data), "rows", Reading(**reading))))


def _document(*instances: Any) -> str:
    return standard.dumps({"instances": instances})


def _message(text: str | bytes, **reading: Any) -> str:
    with pytest.raises(CallerError) as caught:
        _json(text, **reading)
    return str(caught.value)


def _line_message(text: str | bytes, **reading: Any) -> str:
    with pytest.raises(CallerError) as caught:
        _lines(text, **reading)
    return str(caught.value)


@pytest.mark.parametrize("instance", DENSE.values(), ids=DENSE)
def test_every_dense_variant_is_read(instance: Any) -> None:
    for batch in (_json(_document(instance)), _lines(standard.dumps(instance))):
        assert not batch.is_sparse
        assert batch.dense().tolist() == [[1.5, 2, -3]]
        assert batch.label is None


@pytest.mark.parametrize(("instance", "row"), SPARSE.values(), ids=SPARSE)
def test_every_sparse_variant_is_read(instance: Any, row: list[float]) -> None:
    for batch in (_json(_document(instance)), _lines(standard.dumps(instance))):
        assert batch.is_sparse
        assert batch.sparse().has_sorted_indices
        assert batch.dense().tolist() == [row]


def test_variants_may_be_mixed() -> None:
    instances = [*DENSE.values(), SPARSE["long"][0]]
    wanted = [[1.5, 2, -3]] * len(DENSE) + [[1.5, 0, 2]]
    assert _json(_document(*instances)).dense().tolist() == wanted
    lines = "\n".join(map(standard.dumps, instances))
    assert _lines(lines).dense().tolist() == wanted


@pytest.mark.parametrize(
    ("label", "wanted"), [(2, [2]), ([2], [2]), ({"values": [2]}, [2]), ([2, 3], [[2, 3]])]
)
def test_labels_stand_beside_the_features(label: Any, wanted: list[Any]) -> None:
    for instance in (
        {"features": [1], "label": label},
        {"data": {"features": {"values": [1]}, "label": label}},
        {"data": {"any name": [1], "label": label}},
    ):
        assert _json(_document(instance)).labels().tolist() == wanted
        assert _json(_document(instance), label_size=0).label is None


def test_null_is_a_missing_value_where_there_may_be_one() -> None:
    assert np.isnan(_json('{"instances": [{"features": [null, 1]}]}', missing=True).dense()[0, 0])
    assert "Missing values are not taken" in _message('{"instances": [{"features": [null, 1]}]}')
    for missing in (True, False):
        text = '{"instances": [{"features": [1], "label": [null]}]}'
        assert "label 0: must be a number, got 'null'" in _message(text, missing=missing)


@pytest.mark.parametrize(
    ("instance", "words"),
    [
        ([1, 2], 'must be an object, got \'an array\'. An instance looks like {"features": [1.5'),
        (1, "must be an object, got 'a number'"),
        ({}, "must have features, got 'an empty object'"),
        ({"feature": [1]}, "must have features, got 'feature'"),
        ({"data": [1]}, "must have features, got 'data'"),
        ({"data": {"a": [1], "b": [2]}}, "must have features, got 'data, a, b'"),
        ({"features": None}, "features: must be an array or an object, got 'null'"),
        ({"features": "1,2"}, "features: must be an array or an object, got 'a string'"),
        ({"features": []}, "must have at least one feature, got 0"),
        ({"features": {"value": [1]}}, "features: must have values, got 'value'"),
        ({"features": {"values": "x"}}, "values: must be an array, got 'a string'"),
        ({"features": ["1"]}, "value 0: must be a number, got '1'. Write numbers without quotes."),
        ({"features": [0, True]}, "value 1: must be a number, got 'a boolean'. Write truth values"),
        ({"features": [[1]]}, "value 0: must be a number, got 'an array'"),
        ({"features": [1e39]}, "feature 0: must be a finite float32 number, got inf"),
        ({"features": [10**400]}, "value 0: must be a finite float32 number"),
        ({"features": {"values": [1], "keys": [0]}}, "must have a shape, as it has keys"),
        ({"features": {"values": [1], "keys": [3], "shape": [3]}}, "key: must be below 3"),
        ({"features": {"values": [1], "keys": [-1], "shape": [3]}}, "key 0: must be a whole"),
        ({"features": {"values": [1], "keys": [0.5], "shape": [3]}}, "key 0: must be a whole"),
        ({"features": {"values": [1], "keys": [2**70], "shape": [3]}}, "key 0: must be a whole"),
        ({"features": {"values": [1, 2], "keys": [1, 1], "shape": [3]}}, "must come once in a row"),
        ({"features": {"values": [1, 2], "keys": [1], "shape": [3]}}, "as many values as keys, 1"),
        ({"features": {"values": [1, 2], "shape": [3]}}, "as many values as its shape says, 3"),
        ({"features": {"values": [1], "keys": [0], "shape": [2**31]}}, "at most 2,147,483,647"),
        ({"features": {"values": [1], "keys": [0], "shape": [2**16] * 9}}, "at most 2,147,483,647"),
        ({"features": {"values": [1], "keys": [0], "shape": [-1]}}, "shape: must be whole numbers"),
        ({"features": [1], "label": "cat"}, "label 0: must be a number, got 'cat'"),
        ({"features": [1], "label": 1e39}, "label: must be a finite float32 number, got inf"),
    ],
)  # fmt: skip
def test_a_bad_instance_is_named(instance: Any, words: str) -> None:
    document = _message(_document(instance))
    assert document.startswith("body, instance 1"), document
    assert words in document
    line = _line_message(f"\n{standard.dumps(instance)}\n")
    assert line.startswith("rows, line 2"), line
    assert words in line


def test_all_instances_have_the_width_and_the_labels_of_the_first() -> None:
    one, two = {"features": [1], "label": 0}, {"features": [1, 2], "label": 0}
    assert "instance 3: must have 1 feature as the first row has, got 2" in _message(
        _document(one, one, two)
    )
    assert "instance 2: must have 1 label as the first row has, got 0" in _message(
        _document(one, {"features": [1]})
    )
    assert "instance 1: must have 3 features, got 1" in _message(_document(one), width=3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "body, line 1, column 0: is not valid JSON: EOF while parsing a value, got 'the end'"),
        ('{"instances":\n [{"features": [1]', "line 2, column 18: is not valid JSON: EOF"),
        ('{"instances": [{"features": [1,]}]}', "column 32: is not valid JSON: trailing comma"),
        ('{"instances":\n[{"features": [1, NaN]}]}', "got 'NaN]}]}'. JSON has numbers only"),
        ('{"instances": [{"features": [-Infinity]}]}', "a missing value is null"),
        ("{'instances': []}", "JSON has double quotes"),
        ('{"features": [1]}\n{"features": [2]}', "line 2, column 1: is not valid JSON: trailing"),
        ('{"features": [1]}\n{"features": [2]}', "Its content type is application/jsonlines"),
        (b'{"instances": [{"features": ["\xff"]}]}', "is not valid JSON: invalid unicode"),
        ("[" * 100_000, "is not valid JSON: recursion limit exceeded"),
        ('{"a":' * 100_000, "is not valid JSON: recursion limit exceeded"),
        ("[]", "must be an object with a list of instances, got 'an array'"),
        ('{"rows": [1]}', "must be an object with a list of instances, got 'rows'"),
        ('{"instances": {}}', "got 'instances that are empty'"),
        ('{"instances": 5}', "got 'instances that are a number'"),
    ],
)
def test_what_is_no_document_of_instances_is_refused_with_the_place(
    text: str | bytes, words: str
) -> None:
    message = _message(text)
    assert message.startswith("body")
    assert words in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"features": [1]}\n\n{"features": [2]\n', "rows, line 3, column 16: is not valid JSON"),
        ('{\n"features": [1]\n}\n', "Each line must hold one instance and nothing else."),
        ('{"features": [1]}, \n', "rows, line 1, column 18: is not valid JSON: trailing"),
        ('{"instances": [{"features": [1]}]}', "Is this application/json?"),
        ("[" * 100_000, "is not valid JSON: recursion limit exceeded"),
        ('{"features": [1]}\0', "rows, line 1, character 18: is a NUL byte"),
    ],
)
def test_a_bad_line_is_named(text: str, words: str) -> None:
    assert words in _line_message(text)


def test_a_fault_after_many_blocks_names_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines.blocks, "__defaults__", (4096,))
    good = '{"features": [1, 2, 3], "label": 4}\n'
    message = _line_message(good * 2000 + '{"features": [1, "x", 3], "label": 4}\n' + good)
    assert message.startswith("rows, line 2001, value 1: must be a number, got 'x'")


def test_marks_and_line_ends_of_other_systems_are_tolerated() -> None:
    assert _json(b'\xef\xbb\xbf{"instances": [{"features": [1]}]}\r\n').rows == 1
    assert _lines(b'\xef\xbb\xbf{"features": [1]}\r\n\r\n{"features": [2]}').rows == 2
    assert not list(jsonlines.decode(io.BytesIO(b"\n \n"), "rows", Reading()))


def test_a_document_has_a_longest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "LONGEST", 1 << 20)
    assert "must have at most 1,048,576 bytes, got 'more'. JSON Lines can be" in _message(
        b" " * (1 << 20) + b"1"
    )


def test_lines_are_read_in_blocks_of_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines.blocks, "__defaults__", (1 << 16,))
    text = b'{"features": [1, 2, 3], "label": 4}\n' * 50_000
    tracemalloc.start()
    rows = sum(batch.rows for batch in jsonlines.decode(io.BytesIO(text), "rows", Reading()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 50_000
    # Some blocks and what is parsed of one, some 20 times its length; all would take 36 MB
    assert peak < 4 << 20


def _text(module: Any, batch: Batch) -> str:
    out = io.BytesIO()
    module.encode([batch], out)
    return out.getvalue().decode()


def test_real_rows_are_written_as_other_programs_read_them() -> None:
    x, y = load_iris(return_X_y=True)
    batch = Batch(x.astype(np.float32), y.astype(np.float32))
    instances = standard.loads(_text(json, batch))["instances"]
    assert instances == [standard.loads(line) for line in _text(jsonlines, batch).splitlines()]
    # The shortest text of each float32 is the number as the data set has it
    assert [each["features"] for each in instances] == x.tolist()
    assert [each["label"] for each in instances] == y.tolist()


def test_sparse_rows_missing_values_and_label_vectors_are_written() -> None:
    rows = np.array([[0, np.nan, 0.1], [0, 0, 0]], np.float32)
    batch = Batch(csr_array(rows), np.ones((2, 2), np.float32))
    first, second = standard.loads(_text(json, batch))["instances"]
    assert first == {
        "data": {"features": {"keys": [1, 2], "shape": [3], "values": [None, 0.1]}},
        "label": [1, 1],
    }
    assert second["data"]["features"] == {"keys": [], "shape": [3], "values": []}
    assert standard.loads(_text(jsonlines, Batch(rows[:1]))) == {"features": [0, None, 0.1]}


def test_a_document_without_rows_is_one_all_the_same() -> None:
    out = io.BytesIO()
    json.encode([], out)
    assert standard.loads(out.getvalue()) == {"instances": []}


@pytest.mark.parametrize("module", [json, jsonlines])
def test_what_has_no_place_is_not_written(module: Any) -> None:
    rows = np.ones((1, 2), np.float32)
    with pytest.raises(CallerError, match="JSON: has no place for weights, qid"):
        module.encode([Batch(rows, weights=rows[:, 0], extras={"qid": rows[:, 0]})], io.BytesIO())
