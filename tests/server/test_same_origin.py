"""Web pages from elsewhere do not get at a server without signatures."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from clary.server.same_origin import SameOrigin
from tests.server.listening import Recorder


def status(host: str, **headers: str) -> int:
    async def asked() -> int:
        transport = httpx.ASGITransport(SameOrigin(Recorder()))
        async with httpx.AsyncClient(transport=transport) as client:
            given = {"host": host, **headers}
            return (await client.post("http://127.0.0.1:8042/", headers=given)).status_code

    return asyncio.run(asked())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8042",
        "127.9.9.9",
        "[::1]:8042",
        "localhost:8042",
        "data.localhost",
        "host.docker.internal:8042",
        "sts.us-east-1.amazonaws.com",
        "bucket.s3.amazonaws.com",
    ],
)
def test_names_of_this_machine_and_of_aws_are_answered(host: str) -> None:
    assert status(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "ec2-1-2-3-4.compute-1.amazonaws.com",
        "192.168.1.2:8042",
        "",
        "amazonaws.com.example",
        "localhost.example",
    ],
)
def test_names_of_others_are_refused(host: str) -> None:
    assert status(host) == 403


def test_a_page_of_another_origin_is_refused() -> None:
    assert status("127.0.0.1:8042", origin="http://127.0.0.1:8042") == 200
    for origin in ("http://127.0.0.1:3000", "https://example.org", "null", ""):
        assert status("127.0.0.1:8042", origin=origin) == 403
