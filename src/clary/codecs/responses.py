"""A model's named answers in the types that endpoints give."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic_core import to_json

from clary.codecs.content_type import CSV, JSON, JSONLINES, RECORDIO, ContentType
from clary.codecs.record_writing import write_dense
from clary.errors import NotAcceptable
from clary.spec.outputs import Inference

Array: TypeAlias = npt.NDArray[Any]


def encode_answers(
    outputs: Mapping[str, Array], inference: Inference, content_type: ContentType
) -> bytes:
    """The answers for all rows as the body of a response.

    application/json is one object with the list of answers under `json_top`; application/jsonlines
    one object a line; text/csv one line a row, vectors as several columns. The last line has no
    newline: whoever joins several bodies puts one between. RecordIO-protobuf is one record a row
    with the numbers under `label`. NaN and infinities, which JSON has no words for, become null;
    CSV says NaN and Infinity. Verbose answers are there where the type says `;verbose=true`.

    Args:
        outputs: by name, each (rows,) or (rows, length); those that the declaration names.

    Raises:
        NotAcceptable: answers are not written in this type.
    """
    declared = [
        output
        for output in inference.outputs
        if output.name in outputs and (content_type.verbose or not output.verbose)
    ]
    if content_type.name == RECORDIO:
        out = io.BytesIO()
        write_dense(out, None, {one.name: outputs[one.name] for one in declared})
        return out.getvalue()
    columns = [_listed(outputs[one.name], one.kind == "integer") for one in declared]
    rows = zip(*columns, strict=True)
    if content_type.name == CSV:
        return b"\n".join(to_json(_flat(row))[1:-1] for row in rows)
    names = [one.name for one in declared]
    items = (to_json(dict(zip(names, row, strict=True)), inf_nan_mode="null") for row in rows)
    if content_type.name == JSONLINES:
        return b"\n".join(items)
    if content_type.name == JSON:
        return b"{%b:[%b]}" % (to_json(inference.json_top), b",".join(items))
    raise NotAcceptable.of(f"content type {content_type}", "answers are not written in it")


def _listed(answers: Array, whole: bool) -> list[Any]:
    """The answers as Python numbers, whole ones as integers."""
    if whole and np.isfinite(answers).all():
        answers = answers.astype(np.int64)
    numbers: list[Any] = answers.tolist()
    return numbers


def _flat(row: Iterable[Any]) -> list[Any]:
    return list(chain.from_iterable(one if isinstance(one, list) else [one] for one in row))
