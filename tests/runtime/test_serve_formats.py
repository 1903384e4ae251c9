"""Every request type in, every answer type out, for each of the four, over sockets."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from clary.codecs.content_type import CSV, JSON, LIBSVM, parse_content_type
from tests.runtime.conftest import DATA, Models, Trained
from tests.runtime.forms import agree, csv_of, expected, read, requests_of
from tests.runtime.servers import Server, model_server

ROWS = 7


@pytest.fixture(scope="module", params=list(DATA))
def served(request: pytest.FixtureRequest, models: Models) -> Iterator[tuple[Server, Trained]]:
    trained = models[request.param]
    with model_server(trained.root) as server:
        yield server, trained


def test_every_request_type_gets_the_same_answer(served: tuple[Server, Trained]) -> None:
    server, trained = served
    rows = trained.rows[:ROWS]
    wanted = expected(trained, rows)
    requests = requests_of(rows)
    accepts = _accepted(trained)
    assert accepts <= {content_type for content_type, _ in requests}
    for content_type, body in requests:
        if content_type in accepts:
            reply = server.invoke(body, content_type, JSON)
            assert reply.status == 200, (content_type, body, reply.text)
            agree(read(JSON, reply.body, wanted), wanted)


def test_a_request_need_not_say_its_type(served: tuple[Server, Trained]) -> None:
    server, trained = served
    rows = trained.rows[:ROWS]
    wanted = expected(trained, rows)
    first_form = dict(reversed(requests_of(rows)))
    for content_type in _accepted(trained):
        reply = server.invoke(first_form[content_type], None, JSON)
        assert reply.status == 200, (content_type, reply.text)
        agree(read(JSON, reply.body, wanted), wanted)


def test_every_answer_type_says_the_same(served: tuple[Server, Trained]) -> None:
    server, trained = served
    wanted = expected(trained, trained.rows[:ROWS])
    body = csv_of(trained.rows[:ROWS])
    for accept in trained.model.algorithm.inference.returns:
        reply = server.invoke(body, CSV, accept)
        assert (reply.status, reply.content_type) == (200, accept)
        agree(read(accept, reply.body, wanted), wanted)


def test_the_first_declared_type_answers_those_who_take_anything(
    served: tuple[Server, Trained],
) -> None:
    server, trained = served
    first = trained.model.algorithm.inference.returns[0]
    for accept in (None, "*/*"):
        assert server.invoke(csv_of(trained.rows[:1]), CSV, accept).content_type == first


def test_rows_of_another_width_are_refused(served: tuple[Server, Trained]) -> None:
    server, trained = served
    for rows in (trained.rows[:2, 1:], np.hstack([trained.rows[:2], trained.rows[:2, :2]])):
        for content_type, body in requests_of(rows):
            reply = server.invoke(body, content_type)
            narrow_is_sparse = content_type == LIBSVM and rows.shape[1] < trained.model.width
            assert reply.status in ({200, 415} if narrow_is_sparse else {400, 415}), content_type


def test_an_empty_request(served: tuple[Server, Trained]) -> None:
    server, trained = served
    reply = server.invoke(b"", CSV)
    assert reply.status == trained.model.algorithm.inference.empty_status
    assert reply.status == (204 if trained.model.algorithm.name == "xgboost" else 400)
    assert (reply.body == b"") == (reply.status == 204)


def test_missing_values_are_for_those_who_take_them(served: tuple[Server, Trained]) -> None:
    server, trained = served
    row = ",".join([""] + ["1"] * (trained.model.width - 1)).encode()
    reply = server.invoke(row, CSV)
    assert reply.status == (200 if trained.model.algorithm.inference.missing else 400)


def _accepted(trained: Trained) -> set[str]:
    return {parse_content_type(one).name for one in trained.model.algorithm.inference.accepts}
