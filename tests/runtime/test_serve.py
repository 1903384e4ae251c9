"""The model server as a process, over real sockets."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clary.codecs.batch import Batch
from clary.codecs.content_type import CSV, JSON, JSONLINES
from tests.runtime.conftest import Models
from tests.runtime.forms import csv_of
from tests.runtime.servers import Server, model_server, reply_of

LIMIT = 6 * 1024 * 1024


@pytest.fixture(scope="module")
def row(models: Models) -> bytes:
    return csv_of(models["linear-learner"].rows[:1])


def test_ping_answers_with_an_empty_body(server: Server) -> None:
    reply = server.get("/ping")
    assert (reply.status, reply.body) == (200, b"")


def test_execution_parameters_are_those_of_sagemaker(server: Server) -> None:
    reply = server.get("/execution-parameters")
    assert reply.status == 200
    assert json.loads(reply.body) == {
        # OMP_NUM_THREADS of the tests
        "MaxConcurrentTransforms": 2,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }


def test_a_request_is_answered(server: Server, models: Models, row: bytes) -> None:
    reply = server.invoke(row, "text/csv; label_size=0")
    assert (reply.status, reply.content_type) == (200, JSON)
    (item,) = json.loads(reply.body)["predictions"]
    model, rows = models["linear-learner"].model, models["linear-learner"].rows
    assert item["score"] == pytest.approx(float(model.predict(Batch(rows[:1]))["score"][0]))


def test_headers_that_sagemaker_adds_change_nothing(server: Server, row: bytes) -> None:
    headers = {
        "X-Amzn-SageMaker-Custom-Attributes": "trace=1",
        "X-Amzn-SageMaker-Inference-Id": "7",
        "X-Amzn-SageMaker-Target-Model": "other.tar.gz",
    }
    assert server.invoke(row, CSV, **headers).body == server.invoke(row, CSV).body


def test_a_body_may_come_in_chunks(server: Server, row: bytes) -> None:
    assert server.invoke(iter([row[:9], row[9:]]), CSV).body == server.invoke(row, CSV).body


def test_one_connection_serves_many_requests(server: Server, row: bytes) -> None:
    connection = server.connect()
    bodies = set()
    for body in [row, b"x\n", row, b"", row]:
        connection.request("POST", "/invocations", body, {"Content-Type": CSV})
        reply = reply_of(connection)
        if reply.status == 200:
            bodies.add(reply.body)
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "accept", "status", "sentence"),
    [
        (b"1,2,3\n", CSV, None, 400, "request body"),
        (b"", CSV, None, 400, "request body"),
        (b"\n\n", CSV, None, 400, "request body"),
        (b"x" + 29 * b",1", CSV, None, 400, "'x'"),
        (b"{", JSON, None, 400, "request body"),
        (b'{"instances": []}', JSON, None, 400, "request body"),
        (b"1,2\n", "text/html", None, 415, "text/html"),
        (b"1,2\n", CSV, "text/html", 406, "text/html"),
        (b"0" * (LIMIT + 1), CSV, None, 413, "at most 6,291,456 bytes"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    server: Server,
    body: bytes,
    content_type: str,
    accept: str | None,
    status: int,
    sentence: str,
) -> None:
    reply = server.invoke(body, content_type, accept)
    assert reply.status == status
    assert reply.content_type == "text/plain; charset=utf-8"
    assert sentence in reply.text


def test_a_row_with_its_label_is_recognized(server: Server, row: bytes) -> None:
    reply = server.invoke(b"1," + row, CSV)
    assert reply.status == 400
    assert "31" in reply.text
    assert "label" in reply.text


def test_the_label_may_be_sent_if_it_is_declared(server: Server, row: bytes) -> None:
    labelled = server.invoke(b"1," + row, "text/csv; label_size=1")
    assert labelled.status == 200
    assert labelled.body == server.invoke(row, CSV).body


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(server: Server) -> None:
    reply = server.invoke((b"0" * 65536 for _ in range(200)), CSV)
    assert reply.status == 413
    assert "at most 6,291,456 bytes" in reply.text


def test_a_body_at_the_limit_is_read(server: Server, row: bytes) -> None:
    body = row * (LIMIT // len(row))
    body += b"\n" * (LIMIT - len(body))
    reply = server.invoke(body, CSV, JSONLINES)
    assert reply.status == 200
    assert len(reply.body.splitlines()) == LIMIT // len(row)


def test_a_gzip_bomb_is_refused(server: Server) -> None:
    reply = server.invoke(gzip.compress(b"0" * 200_000_000), CSV)
    assert reply.status == 413


def test_a_client_that_waits_for_a_go_ahead_is_refused_at_once(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
            b"Content-Length: 100000000\r\nExpect: 100-continue\r\n\r\n"
        )
        answer = _until_closed(client)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer


@pytest.mark.parametrize("path", ["/", "/models", "/invocations/", "/ping/../ping", "/%00"])
def test_other_paths_are_not_found(server: Server, path: str) -> None:
    reply = server.get(path)
    assert reply.status == 404
    assert "GET /ping, POST /invocations, GET /execution-parameters" in reply.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/invocations", "POST"),
        ("PUT", "/invocations", "POST"),
        ("POST", "/ping", "GET"),
        ("DELETE", "/execution-parameters", "GET"),
    ],
)
def test_other_methods_are_not_allowed(
    server: Server, method: str, path: str, allowed: str
) -> None:
    reply = server.request(method, path)
    assert reply.status == 405
    assert reply.headers["allow"] == allowed


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense\r\n\r\n",
        b"GET /ping HTTP/9.9\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\nxyz",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_not_http_is_a_bad_request(server: Server, text: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(text)
        assert _until_closed(client).startswith(b"HTTP/1.1 400 ")
    assert server.get("/ping").status == 200


def test_endless_headers_are_cut_off(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\nX-Long: ")
        try:
            for _ in range(1000):
                client.sendall(b"a" * 65536)
        except OSError:
            pass
        else:
            pytest.fail("64 MB of one header were taken")
    assert server.get("/ping").status == 200


def test_every_request_has_one_line_in_the_log(server: Server, row: bytes) -> None:
    assert server.log is not None
    server.get("/ping")
    before = server.log.read_text().splitlines()
    server.invoke(row, CSV)
    server.invoke(b"1,2\n3\n", CSV)
    server.get("/ping")
    server.get("/nowhere")
    lines = _grown(server.log, len(before) + 3)[len(before) :]
    assert [line.split(" INFO ")[1].split(" ")[:3] for line in lines] == [
        ["POST", "/invocations", "200"],
        ["POST", "/invocations", "400"],
        ["GET", "/nowhere", "404"],
    ]
    assert "request body" in lines[1]


def test_ping_answers_while_predictions_run(server: Server, row: bytes) -> None:
    body = row * (LIMIT // len(row))
    with ThreadPoolExecutor(8) as clients:
        running = [clients.submit(server.invoke, body, CSV) for _ in range(16)]
        slowest = 0.0
        while not all(one.done() for one in running):
            begun = time.monotonic()
            assert server.get("/ping").status == 200
            slowest = max(slowest, time.monotonic() - begun)
    assert [one.result().status for one in running] == [200] * 16
    # SageMaker's own limit
    assert slowest < 2


def test_memory_does_not_grow_with_requests(server: Server, row: bytes) -> None:
    def some(count: int) -> int:
        for _ in range(count):
            server.invoke(row, CSV)
            server.invoke(row * 200, CSV)
            server.invoke(gzip.compress(row), CSV, JSONLINES)
            server.invoke(row + b"1,2\n", CSV)
            server.invoke(b"{", JSON)
            server.invoke(row, CSV, "text/html")
            _hang_up(server, b"POST /invocations HTTP/1.1\r\nContent-Length: 90000\r\n\r\n1,2,3")
            _hang_up(server, b"GET /ping HT")
        return server.resident_bytes

    early = some(150)
    late = some(400)
    # 3,200 requests: a leak of one kilobyte a request would show as 3 MB
    assert late - early < 1_500_000


def test_batch_variables_are_answered(models: Models) -> None:
    variables = {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "1",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "7",
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/jsonlines",
    }
    trained = models["kmeans"]
    with model_server(trained.root, **variables) as server:
        assert json.loads(server.get("/execution-parameters").body) == {
            "MaxConcurrentTransforms": 7,
            "BatchStrategy": "SINGLE_RECORD",
            "MaxPayloadInMB": 1,
        }
        assert server.invoke(csv_of(trained.rows), CSV).content_type == JSONLINES
        assert server.invoke(b"0" * 1_100_000, CSV).status == 413


def test_a_stop_lets_running_requests_finish(models: Models, row: bytes) -> None:
    with model_server(models["linear-learner"].root) as server:
        assert server.process is not None
        idle, busy = server.connect(), server.connect()
        idle.request("GET", "/ping")
        assert reply_of(idle).status == 200
        busy.putrequest("POST", "/invocations")
        busy.putheader("Content-Type", CSV)
        busy.putheader("Content-Length", str(2 * len(row)))
        busy.endheaders(row)
        # the server has the first half when it answers a later request
        assert server.get("/ping").status == 200
        server.process.send_signal(signal.SIGTERM)
        _wait_until_refused(server)
        busy.send(row)
        reply = reply_of(busy)
        assert reply.status == 200
        assert len(json.loads(reply.body)["predictions"]) == 2
        assert server.process.wait(timeout=10) == 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_an_idle_server_stops_at_once(models: Models, name: str) -> None:
    with model_server(models["kmeans"].root) as server:
        assert server.process is not None
        server.process.send_signal(signal.Signals[name])
        assert server.process.wait(timeout=10) == 0


def test_a_server_without_a_model_says_so(tmp_path: Path) -> None:
    done = _failing_start(tmp_path)
    assert done.returncode == 1
    assert str(tmp_path / "model") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_told(models: Models) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = _failing_start(models["kmeans"].root, SAGEMAKER_BIND_TO_PORT=port)
    assert done.returncode == 1
    assert f"address 0.0.0.0:{port}: cannot be listened on" in done.stderr


def test_a_wrong_variable_is_told_before_the_server_is_ready(models: Models) -> None:
    root = models["kmeans"].root
    done = _failing_start(root, SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="text/html")
    assert done.returncode == 1
    assert "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT: must be one of" in done.stderr


def _hang_up(server: Server, begun: bytes) -> None:
    """A client that goes before its request is whole."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(begun)


def _failing_start(root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"CLARY_ML_ROOT": str(root), "SAGEMAKER_BIND_TO_PORT": "0", **environment}
    return subprocess.run(
        [sys.executable, "-m", "clary.runtime.serve"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _until_closed(client: socket.socket) -> bytes:
    received = b""
    while part := client.recv(65536):
        received += part
    return received


def _grown(log: Path, lines: int) -> list[str]:
    """The log's lines when there are as many; a line is written after its answer."""
    deadline = time.monotonic() + 10
    while len(found := log.read_text().splitlines()) < lines and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def _wait_until_refused(server: Server) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            server.get("/ping")
        except (ConnectionError, http.client.HTTPException):
            return
        time.sleep(0.02)
    raise AssertionError("the server still takes connections")
