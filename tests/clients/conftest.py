"""Real clients: scripts that run in environments of their own against one `clary up`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.clients import data
from tests.clients.environments import HERE, folder_of
from tests.servers import Server, served

Run: TypeAlias = Callable[..., str]

# Nobody listens there: what a client would tell AWS of its use is refused at once
_NOWHERE = "http://127.0.0.1:9"
_TIMEOUT_SECONDS = 280


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("clients")
    (root / "s3" / "notebooks").mkdir(parents=True)
    with served(root) as running:
        yield running


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where scripts run: the data is there."""
    folder = tmp_path_factory.mktemp("notebooks")
    data.write(folder)
    return folder


@pytest.fixture(scope="session")
def run(server: Server, folder: Path) -> Run:
    """Run a script with a client, `sdk2` or `sdk3`; what it prints. `proxy`: as its option is."""

    def run(client: str, script: str, proxy: bool = False) -> str:
        environment = folder_of(client)
        runner = "bash" if script.endswith(".sh") else str(environment / "bin" / "python")
        done = subprocess.run(
            [runner, HERE / "scripts" / script],
            cwd=folder,
            env={**_shell(environment, folder), **_told(server, proxy)},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        told = f"{done.stdout}\n{done.stderr}\nserver:\n{server.log()[-2000:]}"
        assert done.returncode == 0, told
        return done.stdout + done.stderr

    return run


def _shell(client: Path, home: Path) -> dict[str, str]:
    """A shell that knows nothing of this machine's own AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "HTTPS_PROXY": _NOWHERE,
        "PATH": f"{client / 'bin'}{os.pathsep}{kept['PATH']}",
        "PYTHONPATH": str(HERE / "hurried"),
        "HOME": str(home),
        # What is imported is compiled once, by the first script
        "PYTHONDONTWRITEBYTECODE": "",
    }


def _told(server: Server, proxy: bool) -> dict[str, str]:
    """What `clary env` says."""
    clary = Path(sys.executable).parent / "clary"
    command = [clary, "env", "--root", server.root, "--format", "dotenv"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    lines = subprocess.check_output(command + ["--proxy"] * proxy, text=True, env=clean)
    return dict(line.split("=", 1) for line in lines.splitlines())
