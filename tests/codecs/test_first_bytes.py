from __future__ import annotations

import gzip
import io
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import dump_svmlight_file, load_iris

from clary.codecs.content_type import parse_content_type
from clary.codecs.first_bytes import contradiction, sniff
from clary.errors import CallerError

RECORD = bytes.fromhex("0a23d7ce2c000000")


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"1,2,3\n", "part-0", "text/csv"),
        (b"1\t2\t3\n", "part-0", "text/csv"),
        (b"0.5 1e3 -2\n", "part-0", "text/csv"),
        (b"10.5\n11\n", "part-0", "text/csv"),
        (b"alice, 192.0.2.7\n", "part-0", "text/csv"),
        (b"1,12:30:00\n", "part-0", "text/csv"),
        (b"x\n1\n2\n", "part-0", "text/csv"),
        (b"word\n", "words.csv", "text/csv"),
        (b"\xef\xbb\xbf1,2\n", "part-0", "text/csv"),
        (b"1 0:5 3:2\n", "part-0", "text/libsvm"),
        (b"0:5.1 1:3.5\n", "part-0", "text/libsvm"),
        (b"# one\n+1 qid:3 1:0.5 # 7\n", "part-0", "text/libsvm"),
        (b"1\n0 2:1\n", "part-0", "text/libsvm"),
        (b"1\n0\n", "rows.libsvm", "text/libsvm"),
        (b"1\n0\n", "rows.svm.gz", "text/libsvm"),
        (RECORD, "part-0", "application/x-recordio-protobuf"),
        (RECORD, "part-0.csv", "application/x-recordio-protobuf"),
        (b"PAR1\x15\x04", "part-0", "application/x-parquet"),
        (b'{"instances": [{"features": [1]}]}', "part-0", "application/json"),
        (b'{"instances": [{"feat', "part-0", "application/json"),
        (b'{\n  "a": {\n', "part-0", "application/json"),
        (b"[[1, 2]]", "part-0", "application/json"),
        (b'{"features": [1]}\n{"features": [2]}\n', "part-0.json", "application/jsonlines"),
        (b'{"features": [1]}', "part-0", "application/jsonlines"),
        (b'{"features": [1]}', "part-0.json", "application/json"),
        (b'{"features": [1, 2, 3', "part-0", "application/jsonlines"),
        (b"", "part-0.csv", "text/csv"),
        (b" \n", "part-0.parquet", "application/x-parquet"),
    ],
)
def test_the_first_bytes_decide(head: bytes, name: str, kind: str) -> None:
    assert sniff(head, name).name == kind
    assert sniff(gzip.compress(head), name).name == kind


def test_a_truncated_gzip_head_is_looked_through() -> None:
    rng = np.random.default_rng(0)
    out = io.BytesIO()
    np.savetxt(out, rng.random((1000, 3)), delimiter=",")
    assert sniff(gzip.compress(out.getvalue())[:4096], "x").name == "text/csv"


def test_real_data() -> None:
    iris = load_iris()
    out = io.BytesIO()
    dump_svmlight_file(iris.data, iris.target, out)
    assert sniff(out.getvalue(), "iris").name == "text/libsvm"


def _npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, a=np.ones(1))
    return out.getvalue()


def _npy() -> bytes:
    out = io.BytesIO()
    np.save(out, np.ones(1))
    return out.getvalue()


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (_npz(), "zip archive"),
        (_npy(), "numpy array"),
        (pickle.dumps([1]), "pickle"),
        (b"\x89PNG\r\n\x1a\n\0\0", "image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image"),
        (b"BZh91AY&SY\0\0", "bzip2"),
        (b"\0" * 257 + b"ustar", "tar"),
        ("1,2\n".encode("utf-16"), "UTF-16"),
        (b"<html>", "HTML"),
        (b"\0\1\2\3", "binary"),
        (b"Dear reader\n", "Name its content type"),
        (b"", "is empty"),
    ],
)
def test_what_is_none_of_the_formats_is_refused_by_name(head: bytes, what: str) -> None:
    with pytest.raises(CallerError, match=what) as caught:
        sniff(head, "file")
    assert str(caught.value).startswith("file: ")


@given(st.binary(max_size=200), st.sampled_from(["x", "x.csv", "x.gz", "x.json.gz", ""]))
def test_any_bytes_are_told_or_refused(head: bytes, name: str) -> None:
    for data in (head, b"{" + head, b"\x1f\x8b" + head, gzip.compress(head)[: len(head)]):
        try:
            assert sniff(data, name).name
        except CallerError as error:
            assert error.faults


@pytest.mark.parametrize(
    ("declared", "head"),
    [
        ("text/csv", RECORD),
        ("text/csv", gzip.compress(RECORD, mtime=0)),
        ("text/csv", b"PAR1"),
        ("text/csv", b"1 0:2 1:3\n"),
        ("text/csv", b"\x89PNG\0"),
        ("text/libsvm", b"1,2,3\n"),
        ("application/x-recordio-protobuf", b"1,2,3\n"),
        ("application/x-parquet", RECORD),
        ("application/json", b"1,2\n"),
    ],
)
def test_a_contradiction_is_told(declared: str, head: bytes) -> None:
    fault = contradiction(parse_content_type(declared), head, "file")
    assert fault is not None
    assert str(fault).startswith("file: ")


@pytest.mark.parametrize(
    ("declared", "head"),
    [
        ("text/csv;label_size=0", b"1,2\n"),
        ("text/csv", b""),
        ("text/csv;charset=utf-16", "1,2\n".encode("utf-16")),
        ("text/libsvm", b"1\n0\n"),
        ("application/json", b'{"features": [1]}'),
        ("application/jsonlines", b'{"instances": []}'),
        ("image/png", b"1,2\n"),
    ],
)
def test_what_may_be_is_no_contradiction(declared: str, head: bytes) -> None:
    assert contradiction(parse_content_type(declared), head, "file") is None
