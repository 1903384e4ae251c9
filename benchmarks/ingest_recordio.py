"""Reading RecordIO-protobuf into rows: Clary and Google's protobuf runtime (upb).

`python -m benchmarks.ingest_recordio` prints MB/s of both, in turn, in one thread each.
"""

from __future__ import annotations

import struct
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array, random_array

from benchmarks.case import Case, Side
from clary.codecs import recordio
from clary.codecs.batch import Batch
from clary.codecs.reading import Reading
from tests.codecs.record_schema import Record

_MEGABYTES = 64
_WIDTHS = (10, 50, 784)
_REPEATS = 5
_NAME = "train.recordio"


def cases() -> tuple[Case, ...]:
    """Dense rows of three widths, and sparse ones with 20 entries in 1,000 columns."""
    dense = [_case(f"dense, {width} features", _dense(width), _peer_dense) for width in _WIDTHS]
    return (*dense, _case("sparse, 20 of 1,000 features", _sparse(), _peer_sparse))


def main() -> None:
    """Print a line for each case; the best of several runs counts."""
    for case in cases():
        with tempfile.TemporaryDirectory(prefix="clary-bench-") as scratch:
            folder = Path(scratch)
            case.prepare(folder)
            case.ours(folder)
            runs = [(_run(case.ours, folder), _run(case.peer, folder)) for _ in range(_REPEATS)]
        ours, peer = (case.amount / min(seconds) for seconds in zip(*runs, strict=True))
        print(f"{case.name}: {ours:,.0f} MB/s, {case.peer_name} {peer:,.0f} MB/s")


def _case(name: str, batch: Batch, peer: Side) -> Case:
    return Case(
        name=f"recordio-protobuf, {name}",
        prepare=partial(_write, batch),
        ours=_ours,
        peer=peer,
        peer_name="protobuf",
        quality_name="sum",
        amount=_MEGABYTES,
        unit="MB",
    )


def _dense(width: int) -> Batch:
    """A thousand rows, which `_write` repeats."""
    rng = np.random.default_rng(0)
    return Batch(rng.random((1000, width), np.float32), rng.integers(2, size=1000).astype("f4"))


def _sparse() -> Batch:
    rng = np.random.default_rng(0)
    features = csr_array(random_array((1000, 1000), density=0.02, rng=rng, dtype=np.float32))
    return Batch(features, rng.integers(2, size=1000).astype("f4"))


def _write(batch: Batch, folder: Path) -> None:
    with (folder / _NAME).open("wb") as out:
        while out.tell() < _MEGABYTES * 1e6:
            recordio.encode([batch], out)


def _ours(folder: Path) -> dict[str, float]:
    total = 0.0
    with (folder / _NAME).open("rb", buffering=0) as stream:
        for batch in recordio.decode(stream, _NAME, Reading()):
            total += float(batch.labels().sum())
    return {"quality": total}


def _peer_dense(folder: Path) -> dict[str, float]:
    total = 0.0
    for records in _blocks(folder):
        rows = [record.features["values"].float32_tensor.values for record in records]
        np.array([np.array(row, np.float32) for row in rows])
        total += _label_sum(records)
    return {"quality": total}


def _peer_sparse(folder: Path) -> dict[str, float]:
    total = 0.0
    for records in _blocks(folder):
        tensors = [record.features["values"].float32_tensor for record in records]
        values = np.concatenate([np.array(tensor.values, np.float32) for tensor in tensors])
        keys = np.concatenate([np.array(tensor.keys, np.int32) for tensor in tensors])
        bounds = np.cumsum([0, *(len(tensor.keys) for tensor in tensors)])
        csr_array((values, keys, bounds), shape=(len(tensors), tensors[0].shape[0]))
        total += _label_sum(records)
    return {"quality": total}


def _blocks(folder: Path) -> Iterator[list[Any]]:
    """Records of the file, a thousand at a time."""
    data = (folder / _NAME).read_bytes()
    records, at = [], 0
    while at < len(data):
        _, length = struct.unpack_from("<II", data, at)
        records.append(Record.FromString(data[at + 8 : at + 8 + length]))
        at += 8 + length + -length % 4
        if len(records) == 1000 or at == len(data):
            yield records
            records = []


def _label_sum(records: list[Any]) -> float:
    return float(sum(record.label["values"].float32_tensor.values[0] for record in records))


def _run(side: Side, folder: Path) -> float:
    started = time.perf_counter()
    side(folder)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
