"""MXNet's NDArray lists: the files in which SageMaker's own algorithms keep their models.

A list is a magic number, a reserved word, a count and so many arrays, then as many names or none.
An array is a magic number that says its version, a storage type (versions 2 and 3), the shape, the
device it lived on, its element type and the raw data, all little-endian. The oldest form has the
number of dimensions where the later ones have the magic.
Source: Apache MXNet, `src/ndarray/ndarray.cc` (`NDArray::Save`, `Load`, `LegacyLoad`).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.errors import CallerError

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = dict[str, Array] | list[Array]

_LIST = 0x112
_VERSION_1, _VERSION_2, _VERSION_3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DENSE, _ROW_SPARSE = 0, 1
_CPU, _DEVICE_ID = 1, 0
# MXNet's type flags, in their order
_DTYPES = tuple(np.dtype(name) for name in ("<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8"))
_MOST_DIMENSIONS = 32
_MOST_ELEMENTS = 2**59


def write(path: Path, arrays: Mapping[str, Array] | Sequence[Array]) -> None:
    """Write named arrays, or arrays without names, to a file."""
    path.write_bytes(dumps(arrays))


def read(path: Path) -> Arrays:
    """The arrays of a file: by name, or as a list where they have none.

    Raises:
        CallerError: the file is damaged, or something else.
    """
    return loads(path.read_bytes(), str(path))


def dumps(arrays: Mapping[str, Array] | Sequence[Array]) -> bytes:
    """The arrays as bytes, each of version 2 and of one dimension at least."""
    return b"".join(pieces(arrays))


def pieces(arrays: Mapping[str, Array] | Sequence[Array]) -> Iterator[bytes | memoryview]:
    """What `dumps` gives, piece by piece: large arrays are not copied."""
    named: Mapping[str, Array] = arrays if isinstance(arrays, Mapping) else {}
    values: Sequence[Array] = [] if isinstance(arrays, Mapping) else arrays
    yield struct.pack("<3Q", _LIST, 0, len(arrays))
    for array in [*values, *named.values()]:
        yield _head(array)
        contiguous = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        yield contiguous.reshape(-1).view(np.uint8).data
    yield struct.pack("<Q", len(named))
    for name in named:
        text = name.encode()
        yield struct.pack("<Q", len(text)) + text


def loads(data: bytes, name: str) -> Arrays:
    """What `dumps` wrote, or MXNet of any version.

    Args:
        name: what faults call the data.

    Raises:
        CallerError: the data are damaged, or something else.
    """
    reader = _Reader(data, name)
    if reader.numbers("<Q", "the magic number") != (_LIST,):
        raise CallerError.of(name, "must begin as an MXNet NDArray list", data[:8].hex(" "))
    reader.numbers("<Q", "the reserved word")
    (count,) = reader.numbers("<Q", "the number of arrays")
    arrays = [reader.array() for _ in range(count)]
    (count,) = reader.numbers("<Q", "the number of names")
    names = [reader.text() for _ in range(count)]
    if reader.at < len(data):
        raise reader.fault("must end here", f"{len(data) - reader.at:,} more bytes")
    if not names:
        return arrays
    if len(names) != len(arrays) or len(set(names)) < len(names):
        raise reader.fault(f"must have {len(arrays)} different names", ", ".join(names))
    return dict(zip(names, arrays, strict=True))


def _head(array: Array) -> bytes:
    dtype = array.dtype.newbyteorder("<")
    shape = array.shape
    if dtype not in _DTYPES or not shape:
        raise TypeError(f"no NDArray holds {array.dtype} of shape {shape}")
    head = struct.pack(f"<IiI{len(shape)}q", _VERSION_2, _DENSE, len(shape), *shape)
    return head + struct.pack("<3i", _CPU, _DEVICE_ID, _DTYPES.index(dtype))


class _Reader:
    def __init__(self, data: bytes, name: str) -> None:
        self.at = 0
        self._data = data
        self._name = name

    def array(self) -> Array:
        (version,) = self.numbers("<I", "an array's version")
        if version in {_VERSION_2, _VERSION_3}:
            (storage,) = self.numbers("<i", "a storage type")
            if storage == _ROW_SPARSE:
                return self._row_sparse(version)
            if storage != _DENSE:
                raise self.fault("must hold arrays dense or by rows", f"storage type {storage}")
        shape = self._shape(version)
        if shape is None:
            return np.empty(0, np.float32)
        self.numbers("<2i", "a device")
        return self._elements(self._dtype(), shape)

    def text(self) -> str:
        (length,) = self.numbers("<Q", "the length of a name")
        try:
            return self._take(length, "a name").decode()
        except UnicodeDecodeError:
            raise self.fault("must have names in UTF-8", "something else") from None

    def numbers(self, form: str, what: str) -> tuple[int, ...]:
        return struct.unpack(form, self._take(struct.calcsize(form), what))

    def fault(self, rule: str, got: object) -> CallerError:
        return CallerError.of(f"{self._name}, byte {self.at}", rule, got)

    def _row_sparse(self, version: int) -> Array:
        """Rows of which those that are not there are 0: theirs, and then their numbers."""
        stored, shape = self._shape(version), self._shape(version)
        if shape is None:
            return np.empty(0, np.float32)
        self.numbers("<2i", "a device")
        dtype, kind, counted = self._dtype(), self._dtype(), self._shape(version)
        rows = self._elements(dtype, stored or (0, *shape[1:]))
        places = self._elements(kind, counted or (0,))
        fits = rows.shape[1:] == shape[1:] and places.shape == rows.shape[:1]
        if not fits or not ((places >= 0) & (places < shape[0])).all():
            raise self.fault(f"must hold rows of an array of shape {shape}", rows.shape)
        whole = np.zeros(shape, dtype)
        whole[places] = rows
        return whole

    def _dtype(self) -> np.dtype[Any]:
        (flag,) = self.numbers("<i", "an element type")
        if not 0 <= flag < len(_DTYPES):
            raise self.fault(f"must hold elements of a type from 0 to {len(_DTYPES) - 1}", flag)
        return _DTYPES[flag]

    def _shape(self, version: int) -> tuple[int, ...] | None:
        """The shape; None for an array that was never filled, behind which nothing follows."""
        if version in {_VERSION_1, _VERSION_2, _VERSION_3}:
            (dimensions,) = self.numbers("<i", "a number of dimensions")
            form = "q"
        else:
            dimensions, form = version, "I"
        if dimensions == (-1 if version == _VERSION_3 else 0):
            return None
        if not 0 <= dimensions <= _MOST_DIMENSIONS:
            rule = f"must hold arrays of at most {_MOST_DIMENSIONS} dimensions"
            raise self.fault(rule, f"{dimensions:,} dimensions")
        return self.numbers(f"<{dimensions}{form}", "a shape")

    def _elements(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
        # An array without elements has to have a shape that numpy takes, too
        if min(shape, default=0) < 0 or math.prod(size or 1 for size in shape) > _MOST_ELEMENTS:
            raise self.fault("must hold arrays of a sensible shape", shape)
        length = math.prod(shape) * dtype.itemsize
        return np.frombuffer(self._take(length, f"an array of shape {shape}"), dtype).reshape(shape)

    def _take(self, length: int, what: str) -> bytearray:
        left = len(self._data) - self.at
        if length > left:
            raise self.fault(f"must hold {what} of {length:,} bytes here", f"{left:,} bytes")
        self.at += length
        # An array over a bytearray can be written to
        return bytearray(memoryview(self._data)[self.at - length : self.at])
