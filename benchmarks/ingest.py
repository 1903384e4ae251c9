"""Reading files into rows, against pyarrow (CSV), protobuf (RecordIO) and scikit-learn (libsvm)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from scipy.sparse import csr_array, random_array
from sklearn.datasets import load_svmlight_file

from benchmarks import protobuf_records
from benchmarks.case import Case, Measure, Side, Suite
from clary.codecs.batch import Batch
from clary.codecs.content_type import CSV, LIBSVM, RECORDIO, parse_content_type
from clary.codecs.formats import decode, encode
from clary.codecs.reading import Reading

_MEGABYTES = 16
_ROWS = 1000
_NAME = "train"


def _decimals(width: int) -> Batch:
    """Measurements: numbers of up to nine digits."""
    draw = np.random.default_rng(0)
    return Batch(draw.normal(size=(_ROWS, width)).astype(np.float32), _labels())


def _pixels(width: int) -> Batch:
    """Images: whole numbers from 0 to 255, four of five of them 0."""
    draw = np.random.default_rng(0)
    shades = draw.integers(1, 256, (_ROWS, width)) * (draw.random((_ROWS, width)) < 0.2)
    return Batch(shades.astype(np.float32), _labels())


def _sparse() -> Batch:
    draw = np.random.default_rng(0)
    features = random_array((_ROWS, 1000), density=0.02, rng=draw, dtype=np.float32)
    return Batch(csr_array(features), _labels())


def _labels() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.random.default_rng(1).integers(2, size=_ROWS).astype(np.float32)


def _write(make: Callable[[], Batch], kind: str, folder: Path) -> None:
    """The rows again and again, up to the file's size."""
    batch = make()
    with (folder / _NAME).open("wb") as out:
        while out.tell() < _MEGABYTES * 1e6:
            encode([batch], out, parse_content_type(kind))


def _ours(kind: str, threads: int, folder: Path) -> dict[str, float]:
    os.environ["OMP_NUM_THREADS"] = str(threads)
    total = 0.0
    with (folder / _NAME).open("rb", buffering=0) as stream:
        for batch in decode(stream, _NAME, parse_content_type(kind), Reading()):
            total += float(batch.features.sum()) + float(batch.labels().sum())
    return {"quality": total}


def _arrow(columns: int, threads: int, folder: Path) -> dict[str, float]:
    """The table in pyarrow's blocks, each laid out as rows."""
    pa.set_cpu_count(threads)
    names = [str(at) for at in range(columns)]
    table = arrow_csv.read_csv(
        folder / _NAME,
        arrow_csv.ReadOptions(column_names=names, use_threads=threads > 1),
        convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float32())),
    )
    total = 0.0
    for batch in table.to_batches():
        total += float(batch.to_tensor(row_major=True).to_numpy().sum())
    return {"quality": total}


def _protobuf(read: Callable[[Path], float], folder: Path) -> dict[str, float]:
    return {"quality": read(folder / _NAME)}


def _scikit_learn(folder: Path) -> dict[str, float]:
    rows, labels = load_svmlight_file(str(folder / _NAME), dtype=np.float32, zero_based=True)
    return {"quality": float(rows.sum()) + float(labels.sum())}


def _case(
    name: str,
    make: Callable[[], Batch],
    kind: str,
    threads: int,
    peer: tuple[str, Side],
    floor: float | None = None,
    goal: float | None = None,
    measure: Measure = "ratio",
) -> Case:
    return Case(
        f"{name}, {threads} thread{'s' if threads > 1 else ''}",
        partial(_write, make, kind),
        partial(_ours, kind, threads),
        peer[1],
        peer[0],
        "sum",
        _MEGABYTES,
        "MB",
        floor,
        goal,
        lambda figures: _MEGABYTES * 1e6 / figures["triad_bytes_a_second"],
        measure,
    )


def _csv(name: str, make: Callable[[], Batch], columns: int) -> Iterator[Case]:
    for threads in (2, 1):
        peer = "pyarrow", partial(_arrow, columns, threads)
        yield _case(f"CSV, {name}", make, CSV, threads, peer, 0.7, 1.0)


def _libsvm(name: str, make: Callable[[], Batch]) -> Iterator[Case]:
    """scikit-learn's loader has one thread, whatever it is given."""
    for threads in (2, 1):
        peer = "scikit-learn", _scikit_learn
        yield _case(f"libsvm, {name}", make, LIBSVM, threads, peer, 5.0)


def _records(name: str, make: Callable[[], Batch], read: Callable[[Path], float]) -> Case:
    """In one thread: floor and goal are of a core."""
    peer = "protobuf", partial(_protobuf, read)
    return _case(f"RecordIO, {name}", make, RECORDIO, 1, peer, 500, 2000, "speed")


SUITE = Suite(
    "Ingest",
    f"{_MEGABYTES} MB in memory's cache; quality is the sum of all numbers. pyarrow reads float32 "
    "columns and lays them out as rows; scikit-learn's loader has no threads. The roof is reading "
    "each byte once at the speed of triad.",
    (
        *_csv("28 decimals", partial(_decimals, 28), 29),
        *_csv("784 small integers", partial(_pixels, 784), 785),
        _records("dense, 10 features", partial(_decimals, 10), protobuf_records.read_dense),
        _records("dense, 50 features", partial(_decimals, 50), protobuf_records.read_dense),
        _records("dense, 784 features", partial(_decimals, 784), protobuf_records.read_dense),
        _records("sparse, 20 of 1,000 features", _sparse, protobuf_records.read_sparse),
        *_libsvm("20 of 1,000 features", _sparse),
    ),
)
