"""Requests that nobody would send in good faith: refused in AWS's words, and nothing is written."""

from __future__ import annotations

import http.client
import json
import random
import socket
from pathlib import Path
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from clary.aws.services import operation
from clary.control.operations import OPERATIONS
from tests.servers import Server

TARGETS = {
    "sagemaker": "SageMaker",
    "logs": "Logs_20140328",
    "cloudwatch": "GraniteServiceVersion20100801",
}
ASKED = [(service, name) for service in TARGETS for name in sorted(OPERATIONS[service])]
NASTY = [
    "",
    "../../../../etc/passwd",
    "..",
    "/",
    "a/../b",
    "a\0b",
    "x" * 5000,
    "é" * 100,
    "-",
    "*",
    "'; DROP TABLE resources; --",
    "<script>alert(1)</script>",
    "\ud800",
    "s3://",
    "s3://../x",
    "file:///etc/passwd",
    "arn:aws:sagemaker:us-east-1:123456789012:model/../x",
]


def value_of(shape: Shape, chance: random.Random, depth: int = 0) -> Any:
    """A value that is often right for its shape, and sometimes is anything."""
    if chance.random() < 0.1:
        return chance.choice([None, [], {}, "", -1, 1e308, True, chance.choice(NASTY)])
    if isinstance(shape, StructureShape):
        return {
            name: value_of(member, chance, depth + 1)
            for name, member in shape.members.items()
            if name in shape.required_members or (depth < 4 and chance.random() < 0.4)
        }
    if isinstance(shape, ListShape):
        return [value_of(shape.member, chance, depth + 1) for _ in range(chance.randrange(3))]
    if isinstance(shape, MapShape):
        return {chance.choice(NASTY): value_of(shape.value, chance, depth + 1)}
    if shape.type_name in {"integer", "long", "float", "double", "timestamp"}:
        return chance.choice([0, 1, -1, 2**31, 2**63, 10**30, 1.5])
    if shape.type_name == "boolean":
        return chance.random() < 0.5
    enum = getattr(shape, "enum", None)
    return chance.choice(enum) if enum else chance.choice([*NASTY, "name", "name-2"])


def post(server: Server, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.facts.port, timeout=60)
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    told = answer.read()
    connection.close()
    return answer.status, json.loads(told or b"{}")


def sent(server: Server, service: str, name: str, body: bytes) -> tuple[int, dict[str, Any]]:
    headers = {
        "X-Amz-Target": f"{TARGETS[service]}.{name}",
        "Content-Type": "application/x-amz-json-1.1",
    }
    return post(server, headers, body)


def files_beyond(root: Path) -> set[Path]:
    """What is beside the root, and in its top folder."""
    return set(root.parent.iterdir()) | set(root.iterdir())


@pytest.mark.parametrize(("service", "name"), ASKED, ids=[f"{s}-{n}" for s, n in ASKED])
def test_whatever_is_asked_is_answered_or_refused(server: Server, service: str, name: str) -> None:
    model = operation(service, name)
    assert model
    assert model.input_shape
    # The same requests in every run
    chance, before = random.Random(f"{service} {name}"), files_beyond(server.root)
    for _ in range(25):
        request = value_of(model.input_shape, chance)
        status, told = sent(server, service, name, json.dumps(request).encode())
        assert status in {200, 400, 404}, (request, told)
        assert status == 200 or told["__type"], told
    assert files_beyond(server.root) == before


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"null", b"\x00\xff", b"[" * 50_000, b'{"a":NaN}']
)
def test_a_body_that_is_no_object_is_refused(server: Server, body: bytes) -> None:
    status, told = sent(server, "sagemaker", "DescribeTrainingJob", body)
    assert status == 400
    assert told["__type"] in {"SerializationException", "ValidationException"}


@pytest.mark.parametrize("target", ["", "SageMaker", "SageMaker.", "Nobody.Do", "é.é", "a" * 9000])
def test_an_unknown_target_is_refused(server: Server, target: str) -> None:
    headers = {"X-Amz-Target": target.encode().decode("latin-1"), "Content-Type": "x"}
    status, told = post(server, headers, b"{}")
    assert status == 400
    assert told["__type"] == "UnknownOperationException"


def test_a_body_beyond_reason_is_refused(server: Server) -> None:
    status, told = sent(server, "sagemaker", "ListModels", b" " * (9 * 1024 * 1024))
    assert status == 413
    assert told["__type"] == "RequestEntityTooLarge"


def test_headers_beyond_reason_end_the_connection_not_the_server(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.facts.port), timeout=30) as connection:
        answer = b""
        try:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n")
            for number in range(1000):
                connection.sendall(f"X-{number}: ".encode() + b"x" * 10_000 + b"\r\n")
            connection.sendall(b"\r\n")
            answer = connection.recv(1000)
        except OSError:
            pass
    assert not answer.startswith(b"HTTP/1.1 2")
    assert server.client("sagemaker").list_models()["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n" * 100,
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"POST / HTTP/9.9\r\n\r\n",
    ],
    ids=["nothing", "half a line", "TLS", "a later HTTP"],
)
def test_what_is_not_http_does_no_harm(server: Server, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.facts.port), timeout=30) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1000)
    assert not answer.startswith(b"HTTP/1.1 2")
    assert server.client("sagemaker").list_models()["ResponseMetadata"]["HTTPStatusCode"] == 200
