"""From the instances of JSON requests, in all their variants, to rows.

An instance is `{"features": [1.5, 2]}`, or `{"data": {"features": {"values": [1.5, 2]}}}`, where
`keys` and `shape` make it sparse, or `{"data": {"any name": [1.5, 2]}}`. In training data
`"label"` stands beside `"features"`: a number, a list, or `{"values": […]}`.
"""

from __future__ import annotations

import math
import re
import sys
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic_core import from_json

from clary.codecs import columns
from clary.codecs.batch import Batch, Features, Floats
from clary.codecs.rows import WIDEST, RowFault, RowRules, sparse_rows
from clary.errors import CallerError
from clary.spec.columns import Column

_SHOWN_BYTES = 24
_WORD_SO_FAR = re.compile(rb"[-+.\w]*$")
_NOT_FINITE = re.compile(rb"[-+]?(nan|inf)", re.IGNORECASE)
_EXAMPLE = 'An instance looks like {"features": [1.5, 2.0]}.'
_WHOLE_DOCUMENT = "Is this application/json? Lines of JSON Lines are instances themselves."
_KINDS = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    type(None): "null",
    float: "a number",
    int: "a number",
}

_NUMBERS = {
    str: "Write numbers without quotes.",
    bool: "Write truth values as 1 and 0.",
    type(None): "Missing values are not taken here.",
}


class NotJson(ValueError):
    """Text is not JSON. line and column: where, from 1; text: what stands there."""

    def __init__(self, what: str, line: int, column: int, text: bytes) -> None:
        super().__init__(what)
        self.line = line
        self.column = column
        self._text = text

    def caller_error(self, where: str, remedy: str = "") -> CallerError:
        """The fault as the user's; `remedy` is for what this text alone does not tell."""
        got = self._text[:_SHOWN_BYTES].decode("utf-8", "backslashreplace") or "the end"
        remedy = self._remedy() or remedy or ("" if self._text else "Is it cut short?")
        return CallerError.of(where, f"is not valid JSON: {self}", got, remedy)

    def _remedy(self) -> str:
        if _NOT_FINITE.match(self._text):
            return "JSON has numbers only; a missing value is null."
        if self._text.startswith(b"'"):
            return "JSON has double quotes."
        return ""


def parse(text: bytes) -> Any:
    """The value of JSON text; NaN and infinity are not JSON.

    Raises:
        NotJson: it is not JSON, or nested too deeply.
    """
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as fault:
        what, _, place = str(fault).rpartition(" at line ")
        line, column = map(int, place.split(" column "))
        before = 0
        for _ in range(line - 1):
            before = text.index(b"\n", before) + 1
        at = before + max(0, column - 1)
        # All of a word, in the middle of which the fault may be
        word = _WORD_SO_FAR.search(text, max(before, at - _SHOWN_BYTES), at)
        rest = b"" if what.startswith("EOF") else (word[0] if word else b"") + text[at:]
        raise NotJson(what, line, column, rest) from None


def rows(instances: Sequence[Any], rules: RowRules) -> Batch:
    """The rows of instances, at least one: dense if all are, else CSR.

    Raises:
        RowFault: one of them is of no known variant, or breaks a rule.
    """
    tensors = [_tensor(instance, row) for row, instance in enumerate(instances)]
    if rules.columns:
        return _texts(tensors, rules.columns)
    rules.check_widths(np.array([tensor.width for tensor in tensors]))
    values = _floats([tensor.values for tensor in tensors], "value", rules.missing)
    features: Features
    if all(tensor.keys is None for tensor in tensors):
        features = values.reshape(len(tensors), tensors[0].width)
        rules.check_features(features)
    else:
        keys = np.concatenate([_keys(tensor, row) for row, tensor in enumerate(tensors)])
        counts = np.array([len(tensor.values) for tensor in tensors])
        features = sparse_rows(keys, values, counts, tensors[0].width)
        rules.check_sparse(features)
    return Batch(features, _label(instances, rules) if rules.wants_label else None)


def kind(value: Any) -> str:
    """What a value of JSON is, in words."""
    return _KINDS[type(value)]


class _Tensor(NamedTuple):
    """The numbers of one row; the keys are None if it is dense."""

    values: list[Any]
    keys: list[Any] | None
    width: int


def _texts(tensors: Sequence[_Tensor], wanted: Sequence[Column]) -> Batch:
    """Rows that are not numbers, in columns."""
    for row, tensor in enumerate(tensors):
        if tensor.keys is not None or tensor.width != len(wanted):
            raise RowFault(row, f"must have {columns.named(wanted)}", tensor.width, "features")
        for place, value in enumerate(tensor.values):
            if type(value) not in {str, int}:
                part = f"column {place + 1} ({wanted[place].name})"
                raise RowFault(row, "must be a string", _shown(value), part)
    values = (map(str, each) for each in zip(*(tensor.values for tensor in tensors), strict=True))
    return columns.batch_of([pa.array(each, pa.string()) for each in values], wanted)


def _tensor(instance: Any, row: int) -> _Tensor:
    if type(instance) is not dict:
        raise RowFault(row, "must be an object", kind(instance), remedy=_EXAMPLE)
    found = instance["features"] if "features" in instance else _in_data(instance, row)
    if type(found) is list:
        return _Tensor(found, None, len(found))
    if type(found) is not dict:
        raise RowFault(row, "must be an array or an object", kind(found), "features")
    if not {"values", "shape"} & found.keys():
        raise RowFault(row, "must have values", ", ".join(found) or "nothing", "features")
    values, keys, shape = (_list_in(found, name, row) for name in ("values", "keys", "shape"))
    if keys and not shape:
        raise RowFault(row, "must have a shape, as it has keys", "none", "features")
    width = _width(shape, row) if shape else len(values)
    # An all-zero sparse row has no entries but a shape
    if keys or not values:
        if len(keys) != len(values):
            rule = f"must have as many values as keys, {len(keys):,}"
            raise RowFault(row, rule, len(values), "features")
        return _Tensor(values, keys if shape else None, width)
    if len(values) != width:
        rule = f"must have as many values as its shape says, {width:,}"
        raise RowFault(row, rule, len(values), "features")
    return _Tensor(values, None, width)


def _in_data(instance: dict[str, Any], row: int) -> Any:
    data = instance.get("data")
    named = data if type(data) is dict else {}
    if "features" in named:
        return named["features"]
    vectors = [vector for name, vector in named.items() if name != "label"]
    if len(vectors) != 1:
        got = ", ".join([*instance, *named]) or "an empty object"
        remedy = _WHOLE_DOCUMENT if "instances" in instance else _EXAMPLE
        raise RowFault(row, "must have features", got, remedy=remedy)
    return vectors[0]


def _list_in(tensor: dict[str, Any], name: str, row: int) -> list[Any]:
    found = tensor.get(name, [])
    if type(found) is not list:
        raise RowFault(row, "must be an array", kind(found), name)
    return found


def _width(shape: list[Any], row: int) -> int:
    width = 1
    for size in shape:
        if type(size) is not int or size < 0:
            raise RowFault(row, "must be whole numbers from 0 on", _shown(size), "shape")
        width *= size
        if width > WIDEST:
            raise RowFault(row, f"must be of at most {WIDEST:,} features", width, "shape")
    return width


def _keys(tensor: _Tensor, row: int) -> npt.NDArray[np.uint64]:
    if tensor.keys is None:
        return np.arange(tensor.width, dtype=np.uint64)
    for place, key in enumerate(tensor.keys):
        if type(key) is not int or not 0 <= key <= WIDEST:
            rule = f"must be a whole number from 0 to {WIDEST:,}"
            raise RowFault(row, rule, _shown(key), f"key {place}")
    return np.array(tensor.keys, np.uint64)


def _label(instances: Sequence[Any], rules: RowRules) -> Floats | None:
    found = [_label_of(instance, row) for row, instance in enumerate(instances)]
    sizes = np.array([len(values) for values in found])
    rules.check_label_sizes(sizes)
    if not sizes[0]:
        return None
    labels = _floats(found, "label", missing=False).reshape(len(found), sizes[0])
    rules.check_labels(labels)
    return labels if sizes[0] > 1 else labels.ravel()


def _label_of(instance: dict[str, Any], row: int) -> list[Any]:
    label = instance.get("label")
    data = instance.get("data")
    if label is None and type(data) is dict:
        label = data.get("label")
    if type(label) is dict:
        label = _list_in(label, "values", row)
    if label is None:
        return []
    return label if type(label) is list else [label]


def _floats(lists: list[list[Any]], part: str, missing: bool) -> Floats:
    """The numbers of all rows, one row after the other."""
    try:
        numbers = np.frombuffer(b"".join([array("d", values) for values in lists]))
    except (TypeError, OverflowError):
        checked = [_checked(values, row, part, missing) for row, values in enumerate(lists)]
        numbers = np.frombuffer(b"".join(checked))
    # What is true or false has become 1 or 0
    if ((numbers == 0) | (numbers == 1)).any():
        for row, values in enumerate(lists):
            if bool in map(type, values):
                _checked(values, row, part, missing)
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)


def _checked(values: list[Any], row: int, part: str, missing: bool) -> array[float]:
    numbers = array("d")
    for place, value in enumerate(values):
        if value is None and missing:
            numbers.append(math.nan)
        elif type(value) not in {int, float}:
            remedy = _NUMBERS.get(type(value), "")
            raise RowFault(row, "must be a number", _shown(value), f"{part} {place}", remedy)
        elif abs(value) > sys.float_info.max:
            raise RowFault(row, "must be a finite float32 number", _shown(value), f"{part} {place}")
        else:
            numbers.append(value)
    return numbers


def _shown(value: Any) -> object:
    return value if type(value) in {int, float, str} else kind(value)
