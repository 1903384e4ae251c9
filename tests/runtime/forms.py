"""Rows as bodies of requests in every form, and bodies of answers as arrays."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import numpy.typing as npt

from clary.codecs.batch import Batch, Floats
from clary.codecs.content_type import CSV, JSON, JSONLINES, LIBSVM, RECORDIO, parse_content_type
from clary.codecs.formats import encode
from tests.codecs.record_schema import unframed
from tests.runtime.conftest import Trained

Answers = dict[str, npt.NDArray[np.float64]]


def requests_of(rows: Floats) -> list[tuple[str, bytes]]:
    """Bodies that hold the same rows, in every form that a type has."""
    listed = rows.tolist()
    width = rows.shape[1]
    forms = [
        [{"features": row} for row in listed],
        [{"data": {"features": {"values": row}}} for row in listed],
        [{"data": {"features": {"keys": [], "shape": [width], "values": row}}} for row in listed],
        [{"data": {"features": _sparse(row)}} for row in listed],
        [{"configuration": {}, "data": {"features": {"values": row}}} for row in listed],
        [{"data": {"features": row}} for row in listed],
    ]
    mixed = [form[place] for place, form in zip(range(len(rows)), forms * 2, strict=False)]
    documents = [json.dumps({"instances": form}).encode() for form in [*forms, mixed]]
    lines = ["\n".join(map(json.dumps, form)).encode() for form in [*forms, mixed]]
    libsvm = "".join(
        " ".join(f"{column}:{value:.9g}" for column, value in enumerate(row)) + "\n"
        for row in listed
    )
    return [
        (CSV, csv_of(rows)),
        (CSV, csv_of(rows).replace(b",", b" , ").rstrip(b"\n")),
        (CSV, csv_of(rows).replace(b"\n", b"\r\n")),
        *((JSON, document) for document in documents),
        *((JSONLINES, document) for document in lines),
        (LIBSVM, libsvm.encode()),
        (LIBSVM, b"1 " + libsvm.replace("\n", "\n1 ").encode().removesuffix(b"1 ")),
        (RECORDIO, _records(Batch(rows))),
        (RECORDIO, _records(Batch(rows, np.ones(len(rows), np.float32)))),
        (RECORDIO, _records(Batch(Batch(rows).sparse()))),
    ]


def _sparse(row: list[float]) -> dict[str, Any]:
    keys = [place for place, value in enumerate(row) if value]
    return {"keys": keys, "shape": [len(row)], "values": [row[key] for key in keys]}


def csv_of(rows: Floats) -> bytes:
    return "".join(",".join(f"{value:.9g}" for value in row) + "\n" for row in rows).encode()


def _records(batch: Batch) -> bytes:
    out = io.BytesIO()
    encode([batch], out, parse_content_type(RECORDIO))
    return out.getvalue()


def expected(trained: Trained, rows: Floats) -> Answers:
    outputs = trained.model.predict(Batch(rows))
    names = ["score"] if trained.model.algorithm.name == "xgboost" else list(outputs)
    return {name: np.asarray(outputs[name], np.float64) for name in names}


def agree(found: Answers, wanted: Answers) -> None:
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        # a few rows may go through another kernel than many, and sparse ones through a third
        np.testing.assert_allclose(found[name], values, rtol=2e-4, atol=2e-4)


def read(content_type: str, body: bytes, wanted: Answers) -> Answers:
    """An answer of any type; CSV has no names, so they are taken from `wanted`."""
    if content_type == CSV:
        return _from_csv(body, wanted)
    return {JSON: _from_json, JSONLINES: _from_lines, RECORDIO: _from_records}[content_type](body)


def _from_json(body: bytes) -> Answers:
    ((_, items),) = json.loads(body).items()
    return _gathered(items)


def _from_lines(body: bytes) -> Answers:
    return _gathered([json.loads(line) for line in body.decode().splitlines()])


def _from_csv(body: bytes, wanted: Answers) -> Answers:
    (name, *others) = wanted
    table = np.float64(list(csv.reader(io.StringIO(body.decode()))))
    return {name: table[:, 0], **{other: table[:, place] for place, other in enumerate(others, 1)}}


def _gathered(items: list[dict[str, Any]]) -> Answers:
    return {name: np.float64([item[name] for item in items]) for name in items[0]}


def _from_records(body: bytes) -> Answers:
    """By Google's runtime."""
    items = []
    for record in unframed(body):
        assert not record.features
        vectors = {name: list(one.float32_tensor.values) for name, one in record.label.items()}
        items.append({name: v[0] if len(v) == 1 else v for name, v in vectors.items()})
    return _gathered(items)
