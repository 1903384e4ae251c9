"""Rows that are not numbers, in every format that has a place for them."""

from __future__ import annotations

import csv
import io
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clary.codecs import lines
from clary.codecs.batch import Batch, concatenate
from clary.codecs.columns import batch_of
from clary.codecs.content_type import parse_content_type
from clary.codecs.formats import decode, encode
from clary.codecs.reading import Reading
from clary.errors import CallerError
from clary.spec.columns import Column

PAIR = (Column("entity", "text", "alice"), Column("ip", "address", "192.0.2.7"))
TYPES = ["text/csv", "application/x-parquet", "application/json", "application/jsonlines"]
_NAMES = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1)


def read(data: str | bytes, content_type: str = "text/csv") -> list[tuple[Any, ...]]:
    stream = io.BytesIO(data.encode() if isinstance(data, str) else data)
    reading = Reading(label_size=0, width=2, columns=PAIR)
    blocks = list(decode(stream, "data", parse_content_type(content_type), reading))
    return rows_of(concatenate(blocks)) if blocks else []


def rows_of(batch: Batch) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in batch.columns()), strict=True))


def message(data: str | bytes, content_type: str = "text/csv") -> str:
    with pytest.raises(CallerError) as caught:
        read(data, content_type)
    return str(caught.value)


def batch(rows: list[tuple[str, str]]) -> Batch:
    return batch_of([pa.array([row[at] for row in rows], pa.string()) for at in (0, 1)], PAIR)


@pytest.mark.parametrize("content_type", TYPES)
@given(st.lists(st.tuples(_NAMES, st.ip_addresses().map(str)), min_size=1, max_size=5))
def test_what_is_written_is_read_again(content_type: str, rows: list[tuple[str, str]]) -> None:
    kept = [(name.strip(" \t\v\f"), address) for name, address in rows]
    kept = [(name or "x", address) for name, address in kept]
    out = io.BytesIO()
    encode([batch(kept), batch(kept)], out, parse_content_type(content_type))
    assert read(out.getvalue(), content_type) == kept * 2


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_pandas_files_are_read(quoting: Any, separator: str) -> None:
    frame = pd.DataFrame({"who": ['a "b", c', "NA", "12", "é"], "ip": ["192.0.2.7"] * 4})
    text = frame.to_csv(header=False, index=False, quoting=quoting, sep=separator)
    if separator == "," or "," not in text.splitlines()[0]:
        assert read(text) == list(frame.itertuples(index=False, name=None))


def test_blanks_blank_lines_and_other_line_ends_do_not_count() -> None:
    text = '\ufeff alice ,\t192.0.2.7 \r\n\r\n   \n"bob" , "::1"\rcarol,1.2.3.4'
    assert read(text) == [("alice", "192.0.2.7"), ("bob", "::1"), ("carol", "1.2.3.4")]


def test_texts_that_look_like_nothing_are_texts() -> None:
    names = ["NA", "null", "nan", "None", "0", "-1", "true", "1e5", "#", "<a>", "{", "'"]
    text = "".join(f"{name},1.2.3.4\n" for name in names)
    assert [name for name, _ in read(text)] == names


def test_many_blocks_are_as_one() -> None:
    rows = [
        (f"user {at}", f"10.{at >> 16 & 255}.{at >> 8 & 255}.{at & 255}") for at in range(70_000)
    ]
    text = "".join(f"{who},{ip}\n" for who, ip in rows)
    assert len(text) > lines.BLOCK_BYTES
    assert read(text) == rows
    late = text + "eve,1.2.3.4.5\n"
    assert "data, line 70001, column 2 (ip)" in message(late)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,1.2.3.4\nb,999.1.2.3\n", "data, line 2, column 2 (ip): must be an IPv4 or IPv6 "
         "address, got '999.1.2.3'. Each of the four numbers is at most 255, without leading"),
        ("a,1.2.3.4\n,1.2.3.4\n", "line 2, column 1 (entity): must not be empty"),
        ("a,1.2.3.4\n  ,1.2.3.4\n", "line 2, column 1 (entity): must not be empty"),
        ("a,\n", "line 1, column 2 (ip): must be an IPv4 or IPv6 address, got ''. Fill it in"),
        ("a\nb\n", "line 1: must have 2 columns (entity, ip), got '1 field'"),
        ("a,1.2.3.4\nb\n", "line 2: must have 2 columns (entity, ip), got '1 field'"),
        ("a,b,1.2.3.4\n", "got '3 fields'. A field with a delimiter in it needs quotes."),
        ("entity,ip\na,1.2.3.4\n", "line 1, column 2 (ip)"),
        ("entity,ip\na,1.2.3.4\n", "This looks like a header line"),
        ("1.2.3.4,a\n", "The columns are entity, ip, in this order."),
        ("a,1.2.3.4:443\n", "Leave out the port"),
        ("a,10.0.0.0/8\n", "Leave out the port or the length of the prefix."),
        ("a,somewhere1\n", "For example 192.0.2.7."),
        ('a,1.2.3.4\n"b,1.2.3.4\n', "line 2: must have whole fields"),
        (b"a,1.2.3.4\n\xffb,1.2.3.4\n", "line 2: must be text in UTF-8"),
        ("\n\na,1.2.3.4\n\nb,1\n", "line 5, column 2"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(text: str | bytes, told: str) -> None:
    assert told in message(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"features": ["a", "1.2.3.4"]}\n{"features": ["b", "1.2"]}', "line 2, column 2 (ip)"),
        (
            '{"features": ["a", "1.2.3.4"]}\n{"features": ["b"]}',
            "line 2, features: must have 2 col",
        ),
        ('{"features": [1.5, "1.2.3.4"]}', "line 1, column 1 (entity): must be a string, got 1.5"),
        ('{"features": [true, "1.2.3.4"]}', "must be a string, got 'a boolean'"),
        ('{"features": {"keys": [0, 1], "shape": [2], "values": ["a", "1.2.3.4"]}}', "2 columns"),
    ],
)
def test_instances_that_are_wrong_are_told(text: str, told: str) -> None:
    assert told in message(text, "application/jsonlines")


def test_whole_numbers_may_be_names_in_json() -> None:
    assert read('{"features": [12, "1.2.3.4"]}', "jsonlines") == [("12", "1.2.3.4")]


def parquet(**columns: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


@pytest.mark.parametrize(
    "who",
    [pa.array(["7", "8"]), pa.array([7, 8]), pa.array(["7", "8"]).dictionary_encode(),
     pa.array(["7", "8"], pa.large_string())],
)  # fmt: skip
def test_parquet_has_strings_of_any_kind(who: pa.Array) -> None:
    data = parquet(user=who, address=["1.2.3.4", "::1"])
    assert read(data, "parquet") == [("7", "1.2.3.4"), ("8", "::1")]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"a": ["x", None], "b": ["1.2.3.4"] * 2}, "row 2, column 1 (entity): must not be empty"),
        ({"a": ["x", "y"], "b": ["1.2.3.4", "1"]}, "row 2, column 2 (ip): must be an IPv4"),
        ({"a": [1.5], "b": ["1.2.3.4"]}, "column 1 (entity): must be strings, got 'double'"),
        ({"a": ["x"]}, "must have 2 columns (entity, ip), got 'a'"),
    ],
)
def test_parquet_that_is_wrong_is_told(columns: dict[str, Any], told: str) -> None:
    assert told in message(parquet(**columns), "parquet")


@pytest.mark.parametrize("content_type", ["text/libsvm", "application/x-recordio-protobuf"])
def test_formats_of_numbers_have_no_place_for_texts(content_type: str) -> None:
    with pytest.raises(CallerError, match="numbers"):
        encode([batch([("a", "1.2.3.4")])], io.BytesIO(), parse_content_type(content_type))


def test_slices_and_joins_are_those_of_rows() -> None:
    rows = [(f"u{at}", f"1.2.3.{at}") for at in range(10)]
    whole = batch(rows)
    assert (whole.rows, whole.width, whole.is_sparse, whole.has_columns) == (10, 2, False, True)
    joined = concatenate([whole.slice(0, 4), whole.slice(4, 10)])
    assert rows_of(joined) == rows
    assert whole.slice(2, 5).nbytes < whole.nbytes
