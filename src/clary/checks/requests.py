"""Questions about requests and answers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clary import settings
from clary.checks.trainings import Trainings, text_of
from clary.checks.verdict import Wrong, want, want_refused, want_same
from clary.codecs.batch import Batch
from clary.codecs.content_type import CSV, JSON, JSONLINES, RECORDIO, parse_content_type
from clary.errors import CallerError
from clary.kit.model import Model
from clary.runtime.negotiate import answer
from clary.spec.outputs import Inference

Answers = dict[str, npt.NDArray[Any]]

_ROWS = 7
# Few rows may go through another kernel than many, and sparse ones through a third
_TOLERANCE = 1e-4


def requests_and_answers(trainings: Trainings) -> str:
    """Every request type is read and every answer type written, and all say what the model says."""
    inference = trainings.algorithm.inference
    for example in trainings.algorithm.examples:
        model = trainings.of(example).model
        batch = Batch(trainings.rows_of(example).slice(0, _ROWS).features)
        for asked in _canonical(inference.accepts):
            for body in _bodies(batch, asked):
                _want_answered(model, batch, asked, body)
    return f"{len(inference.accepts)} types in, {len(inference.returns)} out"


def requests_are_refused(trainings: Trainings) -> str:
    """Requests that cannot be answered are refused with a sentence."""
    model, serving = trainings.of(trainings.first).model, settings.serving()
    asked = _canonical(trainings.algorithm.inference.accepts)[0]
    body = next(_bodies(Batch(trainings.rows_of(trainings.first).features), asked))
    tries = [
        ("an unknown type", body, "image/png", None),
        ("an unknown answer type", body, asked, "image/png"),
        ("no rows", b"", asked, None),
    ]
    if asked in {JSON, RECORDIO}:
        tries.append(("half a body", body[: len(body) // 2 - 1], asked, None))
    said = []
    for what, sent, content_type, accept in tries:
        try:
            answer(model, sent, content_type, accept, serving)
        except CallerError as refused:
            said.append(want_refused(what, str(refused)))
        else:
            raise Wrong(f"{what}: was answered")
    return "; ".join(said)


def _want_answered(model: Model, batch: Batch, asked: str, body: bytes) -> None:
    """Every answer type says of a request what the model says of its rows."""
    inference, serving = model.algorithm.inference, settings.serving()
    outputs = {name: np.asarray(one) for name, one in model.predict(batch).items()}
    declared = [one for one in inference.outputs if one.name in outputs]
    # CSV has no names, so it comes last
    types = sorted(_canonical(inference.returns), key=lambda one: one == CSV)
    for verbose in sorted({False, *(one.verbose for one in declared)}):
        named = [one.name for one in declared if verbose or not one.verbose]
        for told in types:
            accept = f"{told};verbose=true" if verbose else told
            written, kind = answer(model, body, asked, accept, serving)
            want(kind == told, f"{asked}: {kind} instead of {told}")
            found = _read(told, written, inference, {name: outputs[name] for name in named})
            if inference.respond and told != CSV:
                named = [name for name in named if name in found]
            wanted = {name: outputs[name] for name in named}
            want(bool(found), f"{asked}: an empty {told}")
            want_same(f"{asked} answered in {told}", found, wanted, _TOLERANCE)


def _bodies(batch: Batch, content_type: str) -> Iterator[bytes]:
    """The same rows in the forms of a type, dense and, where it has that, sparse."""
    if batch.has_columns:
        yield from _text_bodies(batch, content_type)
        return
    dense = [{"features": row} for row in batch.dense().tolist()]
    keys = list(range(batch.width))
    sparse = [
        {"data": {"features": {"keys": keys, "shape": [batch.width], "values": one["features"]}}}
        for one in dense
    ]
    if content_type == JSON:
        yield from (json.dumps({"instances": form}).encode() for form in (dense, sparse))
    elif content_type == JSONLINES:
        yield from ("\n".join(map(json.dumps, form)).encode() for form in (dense, sparse))
    else:
        yield text_of(batch, content_type)
        if content_type == RECORDIO:
            yield text_of(Batch(batch.sparse()), content_type)


def _text_bodies(batch: Batch, content_type: str) -> Iterator[bytes]:
    """Rows that are not numbers in the forms of a type."""
    rows = list(zip(*(column.to_pylist() for column in batch.columns()), strict=True))
    short = [{"features": row} for row in rows]
    long = [{"data": {"features": {"values": row}}} for row in rows]
    if content_type == JSON:
        yield from (json.dumps({"instances": form}).encode() for form in (short, long))
    elif content_type == JSONLINES:
        yield from ("\n".join(map(json.dumps, form)).encode() for form in (short, long))
    else:
        yield text_of(batch, content_type)


def _read(content_type: str, body: bytes, inference: Inference, shapes: Answers) -> Answers:
    """An answer as arrays; CSV has no names, so its columns are dealt out by the shapes."""
    if content_type == CSV:
        return _from_columns(body, shapes)
    if content_type == JSON:
        items = json.loads(body)[inference.json_top]
    elif content_type == JSONLINES:
        items = [json.loads(line) for line in body.decode().splitlines()]
    else:
        items = [_labels(record) for record in _records(body)]
    return {name: np.array([item[name] for item in items]) for name in items[0]}


def _from_columns(body: bytes, shapes: Answers) -> Answers:
    table = np.array(list(csv.reader(io.StringIO(body.decode()))), dtype=np.float64)
    found, start = {}, 0
    for name, values in shapes.items():
        width = values[0].size
        columns = table[:, start : start + width]
        found[name] = columns if values.ndim == 2 else columns[:, 0]
        start += width
    want(start == table.shape[1], f"CSV has {table.shape[1]} columns, not {start}")
    return found


def _records(body: bytes) -> Iterator[bytes]:
    """The messages of RecordIO frames: magic, length, message, padding to four bytes."""
    while body:
        length = int.from_bytes(body[4:8], "little")
        yield body[8 : 8 + length]
        body = body[8 + length + -length % 4 :]


def _labels(record: bytes) -> dict[str, Any]:
    """The numbers below `label` by name. Record.label is field 2, a map's value field 2,
    Value.float32_tensor field 2, its values field 1.
    """
    found = {}
    for number, entry in _fields(record):
        want(number == 2, f"a record of answers has a field {number}")
        name, value = (content for _, content in _fields(entry))
        ((_, tensor),) = _fields(value)
        numbers = np.frombuffer(next(_fields(tensor))[1], "<f4")
        found[name.decode()] = numbers[0] if len(numbers) == 1 else numbers
    return found


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a protobuf message, which answers have alone."""
    while message:
        tag, message = _varint(message)
        want(tag & 7 == 2, "an answer's record has a number outside of a tensor")
        length, message = _varint(message)
        yield tag >> 3, message[:length]
        message = message[length:]


def _varint(data: bytes) -> tuple[int, bytes]:
    number = shift = 0
    for place, byte in enumerate(data):
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, data[place + 1 :]
    return number, b""


def _canonical(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(parse_content_type(name).name for name in names))
