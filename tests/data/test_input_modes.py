"""File, FastFile and Pipe give the same batches, bit for bit, whatever the files are like."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer

from clary.codecs import formats
from clary.codecs.batch import Batch, concatenate
from clary.codecs.content_type import parse_content_type
from clary.data.contents import Contents
from clary.data.sources import Source
from clary.data.staging import stage
from clary.spec.channels import InputMode
from tests.data.channels import (
    SUPERVISED,
    assert_same,
    csv_lines,
    drained,
    over,
    write_csv,
    write_recordio,
)
from tests.s3_server import S3Server

_SAVED = load_breast_cancer()
_ROWS = Batch(_SAVED.data.astype(np.float32), _SAVED.target.astype(np.float32))
_FILES: tuple[InputMode, ...] = ("File", "FastFile")
_LINES = csv_lines(_ROWS.dense(), _ROWS.labels())


def _write(path: Path, batch: Batch, content_type: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        formats.encode([batch], out, parse_content_type(content_type))


def _read(
    source: Source, folder: Path, rows: int, seed: int | None, **contents: Any
) -> list[list[Batch]]:
    folder.mkdir()
    with stage(source, folder):
        channel = over(source, folder, Contents(SUPERVISED, **contents), seed)
        epochs = drained(channel, rows, epochs=2)
    return epochs


def _modes(source: Source, folder: Path, rows: int, seed: int | None) -> list[list[Batch]]:
    """Two epochs by File, after they were found to be the same by the other modes."""
    by_file, *others = (
        _read(replace(source, input_mode=mode), folder / mode, rows, seed)
        for mode in ("File", "FastFile", "Pipe")
    )
    for other in others:
        for mine, theirs in zip(by_file, other, strict=True):
            assert_same(mine, theirs)
    return by_file


@settings(max_examples=25)
@given(
    cuts=st.lists(st.integers(0, 569), max_size=8),
    packed=st.lists(st.booleans(), min_size=9, max_size=9),
    end=st.lists(st.sampled_from(["\n", "\r\n", ""]), min_size=9, max_size=9),
    rows=st.integers(1, 700),
    seed=st.one_of(st.none(), st.integers(0, 99)),
    records=st.booleans(),
)
def test_the_modes_agree_for_any_split_of_the_rows(
    tmp_path_factory: pytest.TempPathFactory,
    cuts: list[int],
    packed: list[bool],
    end: list[str],
    rows: int,
    seed: int | None,
    records: bool,
) -> None:
    here = tmp_path_factory.mktemp("modes")
    bounds = [0, *sorted(cuts), 569]
    for number, (start, stop) in enumerate(pairwise(bounds)):
        path = here / f"data/{number % 2}/part-{number}"
        if records:
            write_recordio(path, _ROWS.slice(start, stop))
        else:
            write_csv(path, _LINES[start:stop], end=end[number], packed=packed[number])
    source = Source("train", str(here / "data"), shuffle_seed=seed)
    epochs = _modes(source, here, rows, seed)
    for epoch in epochs:
        assert all(batch.rows == rows for batch in epoch[:-1])
        whole = concatenate(epoch)
        order = np.lexsort(whole.dense().T)
        expected = np.lexsort(_ROWS.dense().T)
        assert whole.dense()[order].tobytes() == _ROWS.dense()[expected].tobytes()
        assert whole.labels()[order].tobytes() == _ROWS.labels()[expected].tobytes()
    if seed is None:
        assert_same(epochs[0], epochs[1])


@pytest.mark.parametrize("content_type", ["text/libsvm", "application/jsonlines"])
def test_the_modes_agree_for_other_texts(tmp_path: Path, content_type: str) -> None:
    for number in range(3):
        _write(
            tmp_path / f"data/{number}", _ROWS.slice(number * 190, number * 190 + 190), content_type
        )
        text = (tmp_path / f"data/{number}").read_bytes()
        (tmp_path / f"data/{number}").write_bytes(text.rstrip(b"\n"))
    source = Source("train", str(tmp_path / "data"), content_type=content_type)
    for epoch in _modes(source, tmp_path, 100, None):
        assert concatenate(epoch).dense().tobytes() == _ROWS.dense().tobytes()


def test_parquet_streams_from_s3_in_fast_file_mode(s3: S3Server, tmp_path: Path) -> None:
    for number in range(2):
        path = s3.root / f"parquet/set/{number}.parquet"
        _write(path, _ROWS.slice(number * 300, number * 300 + 300), "application/x-parquet")
    by_file, by_stream = (
        _read(Source("train", "s3://parquet/set/", input_mode=mode), tmp_path / mode, 70, None)
        for mode in _FILES
    )
    for mine, theirs in zip(by_file, by_stream, strict=True):
        assert_same(mine, theirs)
    assert concatenate(by_file[0]).dense().tobytes() == _ROWS.dense().tobytes()


def test_the_modes_agree_on_s3(s3: S3Server, tmp_path: Path) -> None:
    for number in range(4):
        text = "\n".join(_LINES[number::4]).encode()
        s3.put("modes", f"set/{number % 2}/part-{number}", text)
    source = Source("train", "s3://modes/set/", content_type="text/csv")
    assert sum(batch.rows for batch in _modes(source, tmp_path, 100, None)[0]) == 569


def test_wrapped_objects_give_the_rows_of_the_plain_ones(tmp_path: Path) -> None:
    for number in range(3):
        write_csv(tmp_path / f"csv/{number}", _LINES[number::3], end="")
        write_recordio(
            tmp_path / f"records/{number}", _ROWS.slice(number * 100, number * 100 + 100)
        )
    for kind in ("csv", "records"):
        plain = Source("train", str(tmp_path / kind), input_mode="Pipe")
        wrapped = replace(plain, record_wrapper="RecordIO")
        expected = _read(plain, tmp_path / f"{kind} plain", 50, None)
        found = _read(wrapped, tmp_path / f"{kind} wrapped", 50, None)
        for ours, theirs in zip(found, expected, strict=True):
            assert_same(ours, theirs)


def test_wrapping_makes_recordio_of_single_messages(tmp_path: Path) -> None:
    folder = tmp_path / "messages"
    folder.mkdir()
    # features [1.0, 2.0], label [1.0], as the SDK's message classes write them
    message = (
        "0a160a0676616c756573120c120a0a080000803f0000004012120a0676616c756573120812060a040000803f"
    )
    for number in range(3):
        (folder / str(number)).write_bytes(bytes.fromhex(message))
    source = Source("train", str(folder), input_mode="Pipe", record_wrapper="RecordIO")
    declared = "application/x-recordio-protobuf"
    epochs = _read(source, tmp_path / "ml", 10, None, content_type=declared)
    assert epochs[0][0].dense().tolist() == [[1, 2]] * 3
    assert epochs[0][0].labels().tolist() == [1, 1, 1]


def test_long_files_lose_no_row(tmp_path: Path) -> None:
    # Longer than what decoders read at once, several times over.
    line, count = "1.25,-2.5," + "0.125," * 40 + "7", 60_000
    write_csv(tmp_path / "data/a", [line] * count)
    write_csv(tmp_path / "data/b", [line] * 10)
    assert (tmp_path / "data/a").stat().st_size > 14_000_000
    for epoch in _modes(Source("train", str(tmp_path / "data")), tmp_path, 5_000, None):
        assert sum(batch.rows for batch in epoch) == count + 10


def test_epochs_left_early_agree(tmp_path: Path) -> None:
    for number in range(3):
        write_csv(tmp_path / f"data/{number}", _LINES[number::3])
    found = []
    for mode in ("File", "FastFile", "Pipe"):
        source = Source("train", str(tmp_path / "data"), input_mode=mode, shuffle_seed=5)  # type: ignore[arg-type]
        folder = tmp_path / mode
        folder.mkdir()
        with stage(source, folder):
            channel = over(source, folder, Contents(SUPERVISED), 5)
            found.append([next(channel.batches(40, epoch)) for epoch in (0, 1, 3)])
    assert_same(found[0], found[1])
    assert_same(found[0], found[2])
