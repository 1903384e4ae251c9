"""The record schema in Google's protobuf runtime, the reference for our own reader and writer."""

from __future__ import annotations

import struct
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "float": _Field.TYPE_FLOAT,
    "double": _Field.TYPE_DOUBLE,
    "int32": _Field.TYPE_INT32,
    "uint64": _Field.TYPE_UINT64,
    "bytes": _Field.TYPE_BYTES,
    "string": _Field.TYPE_STRING,
}


def _file(sides: tuple[str, ...]) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="record.proto", package="aialgs.data", syntax="proto2"
    )
    for name, kind in (("Float32", "float"), ("Float64", "double"), ("Int32", "int32")):
        message = file.message_type.add(name=f"{name}Tensor")
        for number, (field, type_) in enumerate(
            (("values", kind), ("keys", "uint64"), ("shape", "uint64")), 1
        ):
            added = message.field.add(
                name=field, number=number, label=_Field.LABEL_REPEATED, type=_TYPES[type_]
            )
            added.options.packed = True
    data = file.message_type.add(name="Bytes")
    data.field.add(name="value", number=1, label=_Field.LABEL_REPEATED, type=_TYPES["bytes"])
    data.field.add(
        name="content_type", number=2, label=_Field.LABEL_OPTIONAL, type=_TYPES["string"]
    )
    value = file.message_type.add(name="Value")
    value.oneof_decl.add(name="value")
    for field, number, type_ in (
        ("float32_tensor", 2, "Float32Tensor"),
        ("float64_tensor", 3, "Float64Tensor"),
        ("int32_tensor", 7, "Int32Tensor"),
        ("bytes", 9, "Bytes"),
    ):
        value.field.add(
            name=field,
            number=number,
            label=_Field.LABEL_OPTIONAL,
            type=_Field.TYPE_MESSAGE,
            type_name=f".aialgs.data.{type_}",
            oneof_index=0,
        )
    record = file.message_type.add(name="Record")
    for number, name in enumerate(sides, 1):
        entry = record.nested_type.add(name=f"{name.title()}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL, type=_TYPES["string"])
        entry.field.add(
            name="value",
            number=2,
            label=_Field.LABEL_OPTIONAL,
            type=_Field.TYPE_MESSAGE,
            type_name=".aialgs.data.Value",
        )
        record.field.add(
            name=name,
            number=number,
            label=_Field.LABEL_REPEATED,
            type=_Field.TYPE_MESSAGE,
            type_name=f".aialgs.data.Record.{entry.name}",
        )
    for number, name in enumerate(("uid", "metadata", "configuration"), 3):
        record.field.add(
            name=name, number=number, label=_Field.LABEL_OPTIONAL, type=_TYPES["string"]
        )
    return file


def _record(*sides: str) -> Any:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file(sides))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("aialgs.data.Record"))


Record = _record("features", "label")
Unlabelled = _record("features")
"""A Record whose label is a field that it does not know."""


def framed(message: bytes) -> bytes:
    """An unsplit record."""
    return struct.pack("<II", 0xCED7230A, len(message)) + message + bytes(-len(message) % 4)


def unframed(data: bytes) -> list[Any]:
    """The messages of unsplit records."""
    messages = []
    at = 0
    while at < len(data):
        magic, length = struct.unpack_from("<II", data, at)
        assert magic == 0xCED7230A
        messages.append(Record.FromString(data[at + 8 : at + 8 + length]))
        at += 8 + length + -length % 4
    return messages
