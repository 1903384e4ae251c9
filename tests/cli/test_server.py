"""`clary up`, `status`, `down`: one server for a root, found by its folder."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.servers import served, start

CLARY = str(Path(sys.executable).parent / "clary")


def clary(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CLARY, *arguments], capture_output=True, text=True, timeout=60)


def test_a_server_is_found_by_its_root_until_it_is_down(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        told = json.loads(clary("status", "--root", str(tmp_path), "--json").stdout)
        assert told["running"] is True
        assert told["url"] == server.facts.url
        done = clary("down", "--root", str(tmp_path))
        assert done.returncode == 0, done.stderr
        assert server.process.wait(30) == 0
    told = json.loads(clary("status", "--root", str(tmp_path), "--json").stdout)
    assert told == {"running": False}


def test_a_second_server_on_a_root_is_refused_with_where_the_first_is(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        second = clary("up", "--root", str(tmp_path), "--port", "0")
        assert second.returncode == 1
        assert f"has a server already at {server.facts.url}" in second.stderr
        assert "clary down" in second.stderr
        assert server.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []


def test_the_root_of_a_killed_server_is_free(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        server.end(signal.SIGKILL)
        assert clary("status", "--root", str(tmp_path)).returncode == 1
        second = start(tmp_path)
        assert second.end() == 0


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with served(tmp_path / "a") as server:
        second = clary("up", "--root", str(tmp_path / "b"), "--port", str(server.facts.port))
        assert second.returncode == 1
        assert "cannot be listened on" in second.stderr


def test_what_is_not_up_cannot_be_taken_down(tmp_path: Path) -> None:
    done = clary("down", "--root", str(tmp_path))
    assert done.returncode == 1
    assert "has no running server" in done.stderr


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = clary("up", "--root", str(tmp_path / "file"))
    assert done.returncode == 1
    assert "cannot be used" in done.stderr
