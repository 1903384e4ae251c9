"""Endpoints whose model processes die, hang or rest, and servers that end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.endpoints import (
    Account,
    Archive,
    messages,
    model_processes,
    variant,
)
from tests.servers import Server, served, start


@pytest.fixture
def account(server: Server) -> Iterator[Account]:
    one = Account(server, "endpoints")
    yield one
    one.clear()


def test_a_killed_model_process_is_replaced_and_no_request_lost(
    account: Account, server: Server, trees: Archive
) -> None:
    name = account.deployed(trees)
    for _ in range(3):
        (pid,) = model_processes(server, name)
        os.kill(pid, signal.SIGKILL)
        assert account.score(name, trees.csv()) == pytest.approx(trees.score(), rel=1e-6)
    assert account.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"
    assert any(
        "was ended by signal SIGKILL" in line
        for line in messages(server, f"/aws/sagemaker/Endpoints/{name}")
    )


@pytest.mark.slow
def test_a_hanging_model_process_is_replaced(
    account: Account, server: Server, trees: Archive
) -> None:
    name = account.deployed(trees)
    (pid,) = model_processes(server, name)
    os.kill(pid, signal.SIGSTOP)
    assert account.score(name, trees.csv()) == pytest.approx(trees.score(), rel=1e-6)
    assert model_processes(server, name) != [pid]


def test_endpoints_come_back_with_the_server(
    server: Server, trees: Archive, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    with served(root) as first:
        (first.bucket / "trees.tar.gz").write_bytes(
            (server.bucket / "models" / "trees.tar.gz").read_bytes()
        )
        account = Account(first, "again")
        given = {"Image": trees.image, "ModelDataUrl": "s3://data/trees.tar.gz"}
        name = account.endpoint(account.config(variant(account.model(given))))
        (first.bucket / "trees.tar.gz").unlink()
        (old,) = model_processes(first, name)
        first.end(signal.SIGKILL)
    second = start(root)
    try:
        account = Account(second, "again")
        assert account.score(name, trees.csv()) == pytest.approx(trees.score(), rel=1e-6)
        assert account.settled(name)["EndpointStatus"] == "InService"
        assert not Path(f"/proc/{old}").exists()
    finally:
        second.end()


@pytest.mark.slow
def test_idle_models_rest_until_they_are_asked(
    server: Server, trees: Archive, tmp_path: Path
) -> None:
    with served(tmp_path / "root", CLARY_IDLE_SECONDS="1") as own:
        (own.bucket / "trees.tar.gz").write_bytes(
            (server.bucket / "models" / "trees.tar.gz").read_bytes()
        )
        account = Account(own, "idle")
        given = {"Image": trees.image, "ModelDataUrl": "s3://data/trees.tar.gz"}
        config = account.config(
            variant(
                account.model(given), ServerlessConfig={"MemorySizeInMB": 1024, "MaxConcurrency": 1}
            )
        )
        name = account.endpoint(config)
        deadline = time.monotonic() + 30
        while model_processes(own, name) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not model_processes(own, name)
        assert account.score(name, trees.csv()) == pytest.approx(trees.score(), rel=1e-6)
        assert len(model_processes(own, name)) == 1
