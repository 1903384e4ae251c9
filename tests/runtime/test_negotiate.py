"""Types of requests and answers."""

from __future__ import annotations

import dataclasses
import gzip
import io
from collections.abc import Iterator
from typing import Any

import pytest

from clary import settings
from clary.algorithms import declaration
from clary.codecs.batch import Batch
from clary.codecs.content_type import CSV, JSON, JSONLINES, LIBSVM, RECORDIO, parse_content_type
from clary.codecs.formats import decode
from clary.errors import CallerError, NotAcceptable, PayloadTooLarge, UnsupportedContentType
from clary.runtime import negotiate
from clary.runtime.negotiate import answer, answer_type, answers, request_type
from tests.runtime.conftest import Models, Trained
from tests.runtime.forms import agree, csv_of, expected, read

KMEANS = declaration("kmeans").inference
LINEAR = declaration("linear-learner").inference
XGBOOST = declaration("xgboost").inference
SERVING = settings.serving()


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("*", JSON),
        ("text/csv", CSV),
        ("Text/CSV", CSV),
        ("csv", CSV),
        ("application/x-ndjson", JSONLINES),
        ("application/json; verbose=true", JSON),
        ("application/json;verbose", JSON),
        ("text/*", CSV),
        ("application/*", JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("text/csv;q=0.5, application/jsonlines", JSONLINES),
        ("application/jsonlines, text/csv", JSONLINES),
        ("text/csv, application/jsonlines", CSV),
        ("*/*, text/csv", CSV),
        ("*/*;q=0.1, application/json;q=0", JSONLINES),
        ("text/csv;q=high", CSV),
        ("text/csv;q=nan, application/json;q=0.9", CSV),
        (" , text/csv,", CSV),
    ],
)
def test_the_best_type_of_an_accept_header_is_answered(accept: str | None, wanted: str) -> None:
    assert answer_type(KMEANS, accept, SERVING).name == wanted


@pytest.mark.parametrize("accept", ["text/html", "image/*", "text/csv;q=0", "json/*", "/", ";"])
def test_a_type_that_is_not_written_is_not_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="must allow one of application/json, "):
        answer_type(KMEANS, accept, SERVING)


def test_the_answers_parameters_are_kept() -> None:
    assert answer_type(KMEANS, "application/json; verbose=true", SERVING).verbose
    assert not answer_type(KMEANS, "application/json", SERVING).verbose


def test_the_environment_says_what_anything_means() -> None:
    serving = dataclasses.replace(SERVING, default_accept="application/jsonlines")
    assert answer_type(KMEANS, None, serving).name == JSONLINES
    assert answer_type(KMEANS, "*/*", serving).name == JSONLINES
    assert answer_type(KMEANS, "application/*", serving).name == JSONLINES
    assert answer_type(KMEANS, "text/csv", serving).name == CSV


def test_a_default_that_is_not_written_names_the_variable() -> None:
    serving = dataclasses.replace(SERVING, default_accept="text/html")
    with pytest.raises(CallerError, match="SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT: must be one of"):
        answer_type(KMEANS, None, serving)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("text/csv", CSV),
        ("TEXT/CSV; label_size=0", CSV),
        ("text/csv ;charset=utf-8", CSV),
        ("application/jsonlines; verbose=True", JSONLINES),
        ("application/x-recordio-protobuf", RECORDIO),
    ],
)
def test_a_requests_type_may_be_written_in_several_ways(header: str, wanted: str) -> None:
    assert request_type(LINEAR, header, b"").name == wanted


@pytest.mark.parametrize("header", ["text/html", "application/x-parquet", "nonsense", ";;", "/"])
def test_a_type_that_is_not_read_is_refused(header: str) -> None:
    with pytest.raises(UnsupportedContentType, match="must be one of application/json, "):
        request_type(LINEAR, header, b"1,2")


def test_the_type_that_curl_sends_unasked_is_explained() -> None:
    with pytest.raises(UnsupportedContentType, match="curl says so"):
        request_type(LINEAR, "application/x-www-form-urlencoded", b"1,2")


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (b"1.5,2.5,3.5\n", CSV),
        (b'{"instances": [{"features": [1, 2]}]}', JSON),
        (b'{"features": [1, 2]}\n{"features": [1, 2]}\n', JSONLINES),
        (bytes.fromhex("0a23d7ce"), RECORDIO),
        (b"\x00\xff\x00\xff", RECORDIO),
        (b"", RECORDIO),
    ],
)
def test_a_request_without_a_type_is_what_its_bytes_look_like(head: bytes, wanted: str) -> None:
    assert request_type(LINEAR, None, head).name == wanted
    assert request_type(LINEAR, " ", head).name == wanted


def test_bytes_of_a_type_that_is_not_read_are_refused() -> None:
    with pytest.raises(UnsupportedContentType, match="got 'application/x-parquet'"):
        request_type(LINEAR, None, b"PAR1")
    with pytest.raises(UnsupportedContentType, match="got 'application/json'"):
        request_type(XGBOOST, None, b'{"instances": []}')


def test_xgboost_reads_libsvm_where_nothing_says_otherwise() -> None:
    assert request_type(XGBOOST, None, b"0:5.1 1:3.5\n").name == LIBSVM
    assert request_type(XGBOOST, None, b"\x00\xff").name == LIBSVM


def test_pieces_join_to_one_document(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = trained.rows[:10]
    wanted = expected(trained, rows)
    monkeypatch.setattr(negotiate, "decode", _by_threes)
    for accept in trained.model.algorithm.inference.returns:
        body, kind = answer(trained.model, csv_of(rows), CSV, accept, SERVING)
        assert kind == accept
        agree(read(accept, body, wanted), wanted)


def test_answers_come_piece_by_piece(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negotiate, "decode", _by_threes)
    stream = io.BytesIO(csv_of(trained.rows[:10]))
    read_as, written = parse_content_type(CSV), parse_content_type(JSONLINES)
    pieces = list(answers(trained.model, stream, "rows.csv", read_as, written, SERVING))
    assert [piece.strip().count(b"\n") + 1 for piece in pieces] == [3, 3, 3, 1]


def test_a_gzipped_body_is_unpacked(models: Models) -> None:
    model, body = models["kmeans"].model, csv_of(models["kmeans"].rows)
    packed = gzip.compress(body)
    assert answer(model, packed, CSV, None, SERVING) == answer(model, body, CSV, None, SERVING)


def test_a_gzipped_body_is_not_unpacked_beyond_the_limit(models: Models) -> None:
    bomb = gzip.compress(b"0,0,0,0\n" * 4_000_000)
    with pytest.raises(PayloadTooLarge, match="unpack to at most 6,291,456 bytes"):
        answer(models["kmeans"].model, bomb, CSV, None, SERVING)


@pytest.mark.parametrize("cut", [12, -4])
def test_damaged_gzip_is_the_callers_fault(models: Models, cut: int) -> None:
    packed = gzip.compress(csv_of(models["kmeans"].rows))[:cut]
    with pytest.raises(CallerError, match=r"request body: is .*gzip"):
        answer(models["kmeans"].model, packed, CSV, None, SERVING)


def _by_threes(*arguments: Any) -> Iterator[Batch]:
    for batch in decode(*arguments):
        for start in range(0, batch.rows, 3):
            yield batch.slice(start, start + 3)
