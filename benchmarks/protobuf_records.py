"""RecordIO-protobuf as Google's protobuf runtime (upb) reads it: the peer of our own reader."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from scipy.sparse import csr_array

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = ".aialgs.data"
_BLOCK_RECORDS = 1000


def read_dense(path: Path) -> float:
    """All rows as arrays of a thousand; the sum of their numbers."""
    total = 0.0
    for records in _blocks(path):
        rows = [record.features["values"].float32_tensor.values for record in records]
        total += float(np.array([np.array(row, np.float32) for row in rows]).sum())
        total += _label_sum(records)
    return total


def read_sparse(path: Path) -> float:
    """The same for rows with keys, as CSR."""
    total = 0.0
    for records in _blocks(path):
        tensors = [record.features["values"].float32_tensor for record in records]
        values = np.concatenate([np.array(tensor.values, np.float32) for tensor in tensors])
        keys = np.concatenate([np.array(tensor.keys, np.int32) for tensor in tensors])
        bounds = np.cumsum([0, *(len(tensor.keys) for tensor in tensors)])
        rows = csr_array((values, keys, bounds), shape=(len(tensors), tensors[0].shape[0]))
        total += float(rows.sum()) + _label_sum(records)
    return total


def _blocks(path: Path) -> Iterator[list[Any]]:
    data = path.read_bytes()
    records, at = [], 0
    while at < len(data):
        _, length = struct.unpack_from("<II", data, at)
        records.append(_RECORD.FromString(data[at + 8 : at + 8 + length]))
        at += 8 + length + -length % 4
        if len(records) == _BLOCK_RECORDS or at == len(data):
            yield records
            records = []


def _label_sum(records: list[Any]) -> float:
    return float(sum(record.label["values"].float32_tensor.values[0] for record in records))


def _record_class() -> Any:
    """The part of SageMaker's record schema that float32 rows need."""
    file = descriptor_pb2.FileDescriptorProto(
        name="record.proto", package=_PACKAGE[1:], syntax="proto2"
    )
    tensor = file.message_type.add(name="Float32Tensor")
    for number, (name, kind) in enumerate(
        (("values", _Field.TYPE_FLOAT), ("keys", _Field.TYPE_UINT64), ("shape", _Field.TYPE_UINT64))
    ):
        field = tensor.field.add(
            name=name, number=number + 1, type=kind, label=_Field.LABEL_REPEATED
        )
        field.options.packed = True
    _add_message(file.message_type.add(name="Value"), "float32_tensor", 2, "Float32Tensor")
    record = file.message_type.add(name="Record")
    for number, name in ((1, "features"), (2, "label")):
        entry = record.nested_type.add(name=f"{name.title()}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL)
        _add_message(entry, "value", 2, "Value")
        _add_message(record, name, number, f"Record.{entry.name}", _Field.LABEL_REPEATED)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE[1:]}.Record"))


def _add_message(
    to: Any, name: str, number: int, kind: str, label: Any = _Field.LABEL_OPTIONAL
) -> None:
    to.field.add(
        name=name,
        number=number,
        type=_Field.TYPE_MESSAGE,
        type_name=f"{_PACKAGE}.{kind}",
        label=label,
    )


_RECORD = _record_class()
