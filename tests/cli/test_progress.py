"""A training watched on a terminal: a bar that moves on standard error, the answer beside it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

from tests.cli.commands import CLARY


def watched(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output, and what a terminal saw of standard error."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [CLARY, *arguments],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    seen = b""
    while chunk := _read(ours):
        seen += chunk
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    return process.returncode, out, seen.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


def test_a_bar_moves_and_the_answer_is_apart(data: Path, tmp_path: Path) -> None:
    given = ("train", "kmeans", "--train", data / "iris.csv", "-p", "k=3", "--output", tmp_path)
    code, out, seen = watched(*given, "--json")
    assert code == 0
    assert json.loads(out)["model"] == str(tmp_path / "model.tar.gz")
    assert "channel train: 1 file, " in seen
    assert "━" in seen
    assert "100 %" in seen
    assert "train:msd 0." in seen
    # The log's own lines are for train.log
    assert "#quality_metric" not in seen


def test_a_failure_takes_the_bar_away(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("1,2\n3,x\n4,5\n")
    given = ("train", "kmeans", "--train", tmp_path / "rows.csv", "-p", "k=2")
    code, out, seen = watched(*given, "--output", tmp_path / "out")
    assert (code, out) == (1, "")
    assert "100 %" not in seen
    # After the codes that clear the line and bring the cursor back
    assert "\x1b[?25hclary: rows.csv, line 2, column 2: must be a number" in seen.splitlines()[-1]
