"""Truncated, changed and hostile bytes in every format: rows or a CallerError, and nothing else."""

from __future__ import annotations

import gzip
import io
import re
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.datasets import load_iris

from clary.codecs.batch import Batch
from clary.codecs.content_type import CSV, JSON, JSONLINES, LIBSVM, PARQUET, RECORDIO
from clary.codecs.content_type import parse_content_type as content_type
from clary.codecs.formats import FORMATS, decode, encode
from clary.codecs.reading import Reading
from clary.errors import CallerError

_PLACES = {
    CSV: r", line \d+(, (column|character) \d+)?",
    LIBSVM: r", line \d+(, character \d+)?",
    JSONLINES: r", line \d+(, (column|character) \d+|, \w+( \d+)?)?",
    JSON: r"(, line \d+, column \d+|, instance \d+(, \w+( \d+)?)?)?",
    RECORDIO: r", record \d+ at byte \d+(, \w+( \d+)?)?",
    # What pyarrow refuses has no place
    PARQUET: r"(, row \d+, column .*|, column .*)?",
}


@cache
def _sound(kind: str, sparse: bool, compressed: bool) -> bytes:
    """Forty rows; more than readers take one by one."""
    x, y = load_iris(return_X_y=True)
    rows = x[::4].astype(np.float32)
    batch = Batch(csr_array(rows) if sparse else rows, y[::4].astype(np.float32))
    out = io.BytesIO()
    encode([batch] * (200 if kind == LIBSVM else 2), out, content_type(kind))
    return gzip.compress(out.getvalue(), mtime=0) if compressed else out.getvalue()


def _read(data: bytes, kind: str) -> int:
    """How many rows there are; all that may be raised is a CallerError that names the file."""
    try:
        batches = decode(io.BytesIO(data), "f", content_type(kind), Reading())
        return sum(each.rows for each in batches)
    except CallerError as fault:
        assert re.match(rf"f({_PLACES[kind]}|, byte \d+ after decompression): .", str(fault)), fault
        assert len(str(fault)) < 1000
        return 0


# Where, how much goes, and what comes
_CHANGES = st.tuples(st.floats(0, 1), st.integers(0, 8), st.binary(max_size=8))


@pytest.mark.parametrize("kind", FORMATS)
@given(
    sparse=st.booleans(),
    compressed=st.booleans(),
    cut=st.none() | st.floats(0, 1),
    changes=st.lists(_CHANGES, max_size=3),
)
def test_damaged_bytes_are_read_or_refused(
    kind: str,
    sparse: bool,
    compressed: bool,
    cut: float | None,
    changes: list[tuple[float, int, bytes]],
) -> None:
    data = bytearray(_sound(kind, sparse, compressed))
    for place, length, put in changes:
        at = int(place * len(data))
        data[at : at + length] = put
    if cut is not None:
        del data[int(cut * len(data)) :]
    _read(bytes(data), kind)


@pytest.mark.parametrize("kind", FORMATS)
@given(st.binary(max_size=300))
def test_garbage_is_read_or_refused(kind: str, data: bytes) -> None:
    _read(data, kind)
    _read(b"\x1f\x8b\x08" + data, kind)
    _read(_sound(kind, sparse=False, compressed=False)[:200] + data, kind)


def _bomb(piece: bytes, mebibytes: int) -> bytes:
    """The same again and again, in few bytes."""
    return gzip.compress(piece * ((1 << 20) // len(piece)), mtime=0) * mebibytes


def _record(data: bytes, word: int | None = None) -> bytes:
    word = len(data) if word is None else word
    return struct.pack("<II", 0xCED7230A, word) + data + bytes(-len(data) % 4)


def _wide_records() -> bytes:
    """Sparse rows with one entry in as many columns as there can be."""
    tensor = bytes.fromhex("0a040000803f1201011a05ffffffff07")
    entry = bytes.fromhex("0a0676616c75657312121210") + tensor
    return _record(b"\x0a" + bytes([len(entry)]) + entry) * 10_000


def _bloated_parquet() -> bytes:
    """Rows of vectors of a thousand equal numbers: 160 MB in few bytes."""
    out = io.BytesIO()
    zeros = pa.array(np.zeros(10**7, np.float32))
    columns = {"y": np.zeros(10_000), "v": pa.FixedSizeListArray.from_arrays(zeros, 1000)}
    table = pa.table(columns)
    with pq.ParquetWriter(out, table.schema) as writer:
        for _ in range(4):
            writer.write_table(table)
    return out.getvalue()


def _footer(length: int) -> bytes:
    return b"PAR1" + bytes(64) + struct.pack("<I", length) + b"PAR1"


_LENGTHS = (2**29 - 1, 2**31 - 1, 2**31, 2**32 - 1)
# Made in the process that reads them
HOSTILE: tuple[tuple[str, str, Callable[[], bytes]], ...] = (
    *[("endless line", kind, lambda: _bomb(b"1", 140)) for kind in (CSV, LIBSVM, JSONLINES, JSON)],
    ("endless fields", CSV, lambda: _bomb(b"1,", 40)),
    ("a million fields", CSV, lambda: b"1," * 2_000_000 + b"1\n"),
    ("endless pairs", LIBSVM, lambda: b"1" + _bomb(b" 1:1", 40)),
    ("blank lines", CSV, lambda: _bomb(b"\n", 40)),
    ("blank lines", LIBSVM, lambda: _bomb(b"#\n", 5)),
    ("blank lines", JSONLINES, lambda: _bomb(b"\n", 40)),
    ("endless string", JSON, lambda: gzip.compress(b'{"a": "') + _bomb(b"a", 140)),
    ("many arrays", JSONLINES, lambda: b'{"features": [' + b"[]," * 1_000_000 + b"1]}"),
    ("many lines", JSON, lambda: b"{}\n" * 2_000_000),
    ("a fault after many lines", JSON, lambda: b"[" + b"1,\n" * 5_000_000),
    ("deep arrays", JSON, lambda: b"[" * (1 << 20)),
    ("deep objects", JSONLINES, lambda: b'{"a":' * (1 << 18)),
    ("long number", JSON, lambda: b'{"instances": [{"features": [' + b"1" * (1 << 20) + b"]}]}"),
    ("wide rows", LIBSVM, lambda: b"1 2147483646:1\n" * 10_000),
    ("wide rows", RECORDIO, _wide_records),
    ("zeros", RECORDIO, lambda: _bomb(b"\0", 40)),
    ("empty records", RECORDIO, lambda: _bomb(_record(b""), 40)),
    ("empty parts", RECORDIO, lambda: _record(b"", 1 << 29) + _record(b"", 2 << 29) * 300_000),
    ("a long record", RECORDIO, lambda: gzip.compress(_record(b"", 2**29 - 1)) + _bomb(b"\0", 140)),
    *[("a record of what is not there", RECORDIO, partial(_record, b"abcd", n)) for n in _LENGTHS],
    *[
        ("a footer of what is not there", PARQUET, partial(_footer, size))
        for size in _LENGTHS
    ],
    ("equal numbers", PARQUET, _bloated_parquet),
    ("a bomb", PARQUET, lambda: _bomb(b"PAR1", 100)),
)  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="memory is told by Linux")
def test_hostile_bytes_take_neither_much_memory_nor_long() -> None:
    # In a process of its own, so that all memory counts, that of pyarrow too
    done = subprocess.run(
        [sys.executable, "-c", "from tests.codecs import test_damage; test_damage.read_hostile()"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *_, last = done.stdout.splitlines()
    # The longest JSON document is of 128 MiB; a line as fields of one digit takes much more than
    # its length, of which the limit is 16 MiB
    assert float(last.split()[0]) < 400, done.stdout


def read_hostile() -> None:
    """Print the most MiB so far behind each kind of hostile bytes, and its seconds."""
    before = _peak_mib()
    for name, kind, make in HOSTILE:
        data = make()
        started = time.process_time()
        rows = _read(data, kind)
        seconds = time.process_time() - started
        print(f"{_peak_mib() - before:.0f} MiB, {seconds:.2f} s, {rows} rows: {name}, {kind}")


def _peak_mib() -> float:
    """The most memory of this process; `ru_maxrss` would count that of its parent."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024
