"""What needs a hand inside the server: our own faults, and limits too long or too large to wait
for. Sockets are real.
"""

from __future__ import annotations

import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from clary import settings
from clary.codecs.content_type import CSV, JSONLINES
from clary.runtime import connection, endpoint
from clary.runtime.endpoint import Endpoint
from tests.runtime.conftest import Models, Trained
from tests.runtime.forms import csv_of
from tests.runtime.servers import thread_server

ROW = b"5.1,3.5,1.4,0.2\n"


@pytest.fixture
def app(models: Models) -> Endpoint:
    return Endpoint(models["kmeans"].model, settings.serving())


def test_a_fault_of_ours_is_told_shortly_and_logged_at_length(
    app: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("the inner reason")

    monkeypatch.setattr(endpoint, "answer", broken)
    with thread_server(app) as server, caplog.at_level(logging.INFO):
        reply = server.invoke(ROW, CSV)
        monkeypatch.undo()
        assert server.invoke(ROW, CSV).status == 200
    assert reply.status == 500
    assert "inner reason" not in reply.text
    assert "its log says more" in reply.text
    assert "the inner reason" in caplog.text
    assert "Traceback" in caplog.text


def test_a_head_that_comes_slowly_is_cut_off(
    app: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.3)
    with thread_server(app) as server:
        silent = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        slow = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        later = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        slow.sendall(b"GET /ping HTTP/1.1\r\nHost: ")
        later.sendall(b"GET /ping HTTP/1.1\r\n\r\nGET /pi")
        with silent, slow, later:
            assert silent.recv(100) == b""
            assert slow.recv(100) == b""
            assert later.recv(1000).startswith(b"HTTP/1.1 200 ")
            assert later.recv(100) == b""


def test_a_connection_may_rest_between_requests(
    app: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.1)
    with (
        thread_server(app) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as client,
    ):
        for _ in range(2):
            client.sendall(b"GET /ping HTTP/1.1\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
            time.sleep(0.3)


def test_a_body_that_comes_slowly_is_cut_off(
    app: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "_BODY_SECONDS", 0.3)
    with (
        thread_server(app) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as client,
    ):
        client.sendall(b"POST /invocations HTTP/1.1\r\nContent-Length: 100\r\n\r\n1,2")
        received = b""
        while part := client.recv(1000):
            received += part
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 0.3 s" in received


def test_requests_are_turned_away_when_waiting_ones_fill_the_memory(
    app: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "_HELD_BYTES", 6 * 1024 * 1024)
    with thread_server(app) as server:
        waiting = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        with waiting:
            waiting.sendall(b"POST /invocations HTTP/1.1\r\nContent-Length: 6000000\r\n\r\n")
            waiting.sendall(b"0" * 5_000_000)
            _until(lambda: app._held == 5_000_000)
            reply = server.invoke(ROW * 125_000, CSV)
            small = server.invoke(ROW, CSV)
        _until(lambda: app._held == 0)
        after = server.invoke(ROW * 125_000, CSV)
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert small.status == 200
    assert after.status == 200


def test_many_clients_at_once_get_their_own_answers(trained: Trained) -> None:
    rows = [csv_of(trained.rows[i : i + 1]) for i in range(100)]
    with thread_server(Endpoint(trained.model, settings.serving())) as server:
        alone = [server.invoke(row, CSV, JSONLINES).body for row in rows]
        with ThreadPoolExecutor(20) as clients:
            together = list(clients.map(lambda row: server.invoke(row, CSV, JSONLINES).body, rows))
        large = b"".join(rows) * 20
        with ThreadPoolExecutor(4) as clients:
            sent = [clients.submit(server.invoke, large, CSV, JSONLINES) for _ in range(8)]
    assert together == alone
    assert len(set(alone)) > 10
    assert len({one.result().body for one in sent}) == 1


def _until(met: Any) -> None:
    deadline = time.monotonic() + 10
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)
