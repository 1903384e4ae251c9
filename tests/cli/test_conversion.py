from __future__ import annotations

import gzip
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import dump_svmlight_file, load_breast_cancer, load_digits, load_svmlight_file

from clary.codecs.batch import Batch, concatenate
from clary.codecs.content_type import EXTENSIONS, parse_content_type
from clary.codecs.formats import decode, encode
from clary.codecs.reading import Reading
from tests.cli.commands import clary_here

NAMES = ("a.csv", "a.pbr", "a.libsvm", "a.parquet", "a.jsonl", "a.json")
PAIRS = [pytest.param(*pair, id=" to ".join(pair)) for pair in permutations(NAMES, 2)]
SPARSE_PAIRS = [pair for pair in PAIRS if pair.values[0] in {"a.pbr", "a.libsvm", "a.jsonl"}]


def _batch(sparse: bool = False) -> Batch:
    # The last pixel of digits is seldom set: first rows of a sparse file do not tell the width
    rows, labels = load_digits(return_X_y=True) if sparse else load_breast_cancer(return_X_y=True)
    features = rows.astype(np.float32)
    return Batch(csr_array(features) if sparse else features, labels.astype(np.float32))


def _write(path: Path, batch: Batch) -> Path:
    with path.open("wb") as out:
        encode([batch.slice(0, 50), batch.slice(50, batch.rows)], out, _type(path))
    return path


def _read(path: Path, **reading: Any) -> Batch:
    with path.open("rb") as stream:
        return concatenate(list(decode(stream, path.name, _type(path), Reading(**reading))))


def _type(path: Path) -> Any:
    return parse_content_type(EXTENSIONS[Path(path.name.removesuffix(".gz")).suffix])


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_dense_rows_keep_every_bit_and_their_labels(
    tmp_path: Path, source: str, target: str
) -> None:
    batch = _batch()
    done = clary_here("convert", _write(tmp_path / source, batch), tmp_path / f"new-{target}")
    assert done.code == 0, done.err
    assert "569 rows of 30 features" in done.err
    found = _read(tmp_path / f"new-{target}")
    assert np.array_equal(found.dense(), batch.dense())
    assert np.array_equal(found.labels(), batch.labels())


@pytest.mark.parametrize(("source", "target"), SPARSE_PAIRS)
def test_sparse_rows_stay_sparse_where_the_format_allows(
    tmp_path: Path, source: str, target: str
) -> None:
    batch = _batch(sparse=True)
    done = clary_here("convert", _write(tmp_path / source, batch), tmp_path / f"new-{target}")
    assert done.code == 0, done.err
    found = _read(tmp_path / f"new-{target}")
    assert found.is_sparse == (target not in {"a.csv", "a.parquet"})
    assert np.array_equal(found.dense(), batch.dense())
    assert np.array_equal(found.labels(), batch.labels())


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_missing_values_stay_missing(tmp_path: Path, source: str, target: str) -> None:
    rows = np.array([[1, np.nan], [np.nan, 0.1]], np.float32)
    path = _write(tmp_path / source, Batch(rows, np.ones(2, np.float32)))
    assert clary_here("convert", path, tmp_path / f"new-{target}").code == 0
    found = _read(tmp_path / f"new-{target}", missing=True)
    assert np.array_equal(found.dense(), rows, equal_nan=True)


def test_other_programs_read_what_is_converted(tmp_path: Path) -> None:
    rows, labels = load_digits(return_X_y=True)
    dump_svmlight_file(rows, labels, str(tmp_path / "a.libsvm"), zero_based=True)
    assert clary_here("convert", tmp_path / "a.libsvm", tmp_path / "a.parquet").code == 0
    table = pq.read_table(tmp_path / "a.parquet").to_pandas()
    assert np.array_equal(table["label"], labels)
    assert np.array_equal(table.drop(columns="label"), rows)
    assert clary_here("convert", tmp_path / "a.parquet", tmp_path / "b.libsvm").code == 0
    found, found_labels = load_svmlight_file(str(tmp_path / "b.libsvm"), zero_based=True)
    assert np.array_equal(found.toarray(), rows)
    assert np.array_equal(found_labels, labels)


def test_gzip_is_undone_and_done_by_name(tmp_path: Path) -> None:
    batch = _batch()
    _write(tmp_path / "a.csv", batch)
    assert clary_here("convert", tmp_path / "a.csv", tmp_path / "a.pbr.gz").code == 0
    assert clary_here("convert", tmp_path / "a.pbr.gz", tmp_path / "b.csv.gz").code == 0
    assert clary_here("convert", tmp_path / "a.csv", tmp_path / "c.csv.gz", "--to", "csv").code == 0
    packed = (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "a.csv").read_bytes()
    assert packed == (tmp_path / "c.csv.gz").read_bytes()


def test_labels_are_as_many_as_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2,3\n4,5,6\n")
    for options, labels, features in (
        ([], [1, 4], [[2, 3], [5, 6]]),
        (["--label-size", "0"], None, [[1, 2, 3], [4, 5, 6]]),
        (["--from", "text/csv;label_size=2"], [[1, 2], [4, 5]], [[3], [6]]),
    ):
        done = clary_here("convert", tmp_path / "a.csv", tmp_path / "a.pbr", *options)
        assert done.code == 0, done.err
        assert ("first column is taken for the label" in done.err) == (not options)
        found = _read(tmp_path / "a.pbr", label_size=0 if labels is None else 1)
        assert (None if found.label is None else found.label.tolist()) == labels
        assert found.dense().tolist() == features


def test_a_file_may_be_converted_onto_itself(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_text("1,2\n3,4\n")
    assert clary_here("convert", path, path, "--to", "application/jsonlines").code == 0
    assert path.read_text() == '{"features": [2], "label": 1}\n{"features": [4], "label": 3}\n'


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        ("1,2\n1,x\n", [], "line 2, column 2: must be a number (feature 0), got 'x'"),
        ("1 qid:1 0:2\n", [], "text/csv: has no place for qid"),
        ("", [], "is empty"),
        ("\n\n", ["--from", "csv"], "has no rows"),
        ("1 2147483646:1\n", [], "can have at most 1,048,576 features, got 2147483647. libsvm and"),
        ("1,2\n", ["--from", "text/klingon"], "must be one of text/csv"),
        ("1,2\n", ["--to", "text/klingon"], "is no format that Clary writes, got 'text/klingon'"),
        ("Dear reader,\n", ["--from", "parquet"], "must begin with PAR1"),
    ],
)
def test_a_failure_is_told_and_leaves_nothing(
    tmp_path: Path, content: str, arguments: list[str], words: str
) -> None:
    (tmp_path / "source").write_text(content)
    done = clary_here("convert", tmp_path / "source", tmp_path / "target.csv", *arguments)
    assert done.code == 1
    assert words in done.err
    assert len(done.err.splitlines()) <= 2
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_names_that_say_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("1,2\n")
    done = clary_here("convert", tmp_path / "source", tmp_path / "target.xlsx")
    assert done.code == 1
    assert "the format does not follow from the name, got '.xlsx'. Say --to TYPE." in done.err
    done = clary_here("convert", tmp_path / "nothing.csv", tmp_path / "target.csv")
    assert done.code == 1
    assert "nothing.csv: must be an existing file" in done.err
