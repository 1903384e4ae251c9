"""Endpoints under kill -9 of the server and of model processes, at random instants."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.server.endpoints import Account, Archive, container, model_processes, variant
from tests.servers import Server, served, start

KILLS = 20
SECONDS = 60


def own_archive(server: Server, root: Path) -> None:
    target = root / "s3" / "data" / "models" / "trees.tar.gz"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes((server.bucket / "models" / "trees.tar.gz").read_bytes())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_kill_of_the_server_loses_an_endpoint(
    server: Server, trees: Archive, tmp_path: Path
) -> None:
    chance, root = random.Random(1), tmp_path / "root"
    own_archive(server, root)
    running = start(root)
    account = Account(running, "kill")
    config = account.config(variant(account.model(container(trees))))
    account.endpoint(config)
    for number in range(KILLS):
        account = Account(running, f"kill{number}")
        for endpoint in account.sagemaker.list_endpoints()["Endpoints"]:
            deed(account, endpoint["EndpointName"], config, chance)
        try:
            account.sagemaker.create_endpoint(
                EndpointName=f"made-{number}", EndpointConfigName=config
            )
            time.sleep(chance.uniform(0, 1.5))
        finally:
            running.process.kill()
            running.process.wait()
        running = start(root)
        account = Account(running, f"kill{number}")
        for endpoint in account.sagemaker.list_endpoints(MaxResults=100)["Endpoints"]:
            described = settled(account, endpoint["EndpointName"])
            if described is not None:
                assert described["EndpointStatus"] == "InService"
                score = account.score(endpoint["EndpointName"], trees.csv())
                assert score == pytest.approx(trees.score(), rel=1e-6)
        names = {each["EndpointName"] for each in account.sagemaker.list_endpoints()["Endpoints"]}
        assert f"made-{number}" in names
        for name in names - {f"made-{number}"}:
            account.sagemaker.delete_endpoint(EndpointName=name)
    running.end()


def deed(account: Account, name: str, config: str, chance: random.Random) -> None:
    """Something that takes a while, if the endpoint can have it now."""
    try:
        if chance.random() < 0.5:
            account.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)
        else:
            account.sagemaker.delete_endpoint(EndpointName=name)
    except ClientError as error:
        assert "in-progress" in str(error) or "Could not find" in str(error)


def settled(account: Account, name: str) -> dict[str, object] | None:
    """The endpoint's description; None if it is gone."""
    try:
        return account.settled(name)
    except ClientError as error:
        assert "Could not find endpoint" in str(error)
        return None


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_kill_of_a_model_process_loses_a_request(
    server: Server, trees: Archive, tmp_path: Path
) -> None:
    chance = random.Random(2)
    own_archive(server, tmp_path / "root")
    with served(tmp_path / "root") as own:
        account = Account(own, "kill")
        config = account.config(variant(account.model(container(trees)), InitialInstanceCount=2))
        name = account.endpoint(config)
        for _ in range(KILLS):
            (pid, *_) = model_processes(own, name)
            os.kill(pid, signal.SIGKILL)
            until = time.monotonic() + chance.uniform(0, 2)
            while time.monotonic() < until:
                try:
                    score = account.score(name, trees.csv())
                except (ClientError, BotoCoreError) as error:
                    raise AssertionError("a request was lost") from error
                assert score == pytest.approx(trees.score(), rel=1e-6)
            described = account.sagemaker.describe_endpoint(EndpointName=name)
            assert described["EndpointStatus"] == "InService"
            deadline = time.monotonic() + SECONDS
            while not model_processes(own, name):
                assert time.monotonic() < deadline
                time.sleep(0.05)
