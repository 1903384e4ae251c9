"""Records and rows for the tests of the record codec."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.sparse import csr_array, random_array
from sklearn.datasets import load_iris

from clary.codecs import recordio
from clary.codecs.batch import Batch, concatenate
from clary.codecs.reading import Reading
from tests.codecs.record_schema import Record, framed

LABELLED = Reading()
UNLABELLED = Reading(label_size=0)


def record(
    values: Iterable[float] = (),
    keys: Iterable[int] = (),
    shape: Iterable[int] = (),
    label: Iterable[float] | None = None,
    kind: str = "float32",
    label_kind: str = "float32",
    **rest: str,
) -> Any:
    message = Record(**rest)
    tensor = getattr(message.features["values"], f"{kind}_tensor")
    tensor.values.extend(values)
    tensor.keys.extend(keys)
    tensor.shape.extend(shape)
    tensor.SetInParent()
    if label is not None:
        getattr(message.label["values"], f"{label_kind}_tensor").values.extend(label)
    return message


def stream_of(messages: Iterable[Any]) -> io.BytesIO:
    return io.BytesIO(b"".join(framed(message.SerializeToString()) for message in messages))


def decoded(stream: io.BytesIO | bytes | Iterable[Any], reading: Reading = LABELLED) -> Batch:
    if isinstance(stream, bytes):
        stream = io.BytesIO(stream)
    elif not isinstance(stream, io.BytesIO):
        stream = stream_of(stream)
    return concatenate(list(recordio.decode(stream, "train.rec", reading)))


def encoded(*batches: Batch) -> bytes:
    out = io.BytesIO()
    recordio.encode(batches, out)
    return out.getvalue()


def iris() -> Batch:
    x, y = load_iris(return_X_y=True)
    return Batch(x.astype(np.float32), y.astype(np.float32))


def sparse_rows(rows: int, width: int = 300, density: float = 0.05) -> Batch:
    rng = np.random.default_rng(3)
    features = random_array((rows, width), density=density, rng=rng, dtype=np.float32)
    return Batch(csr_array(features), rng.random(rows, np.float32))


def assert_same(got: Batch, expected: Batch) -> None:
    assert got.is_sparse == expected.is_sparse
    assert got.features.dtype == np.float32
    np.testing.assert_array_equal(got.dense(), expected.dense())
    if expected.label is None:
        assert got.label is None
    else:
        assert got.label is not None
        assert got.label.dtype == np.float32
        np.testing.assert_array_equal(got.label, expected.label)
