"""Runs `clary` as a user does: in a process of its own or, for speed, in this one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clary.cli.main import run

CLARY = Path(sys.executable).parent / "clary"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The object on the last line of standard output."""
        return json.loads(self.out.splitlines()[-1])


def clary(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> Done:
    """Run a command to its end in a process of its own."""
    done = subprocess.run(
        [CLARY, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
    )
    return Done(done.returncode, done.stdout, done.stderr)


def clary_here(*arguments: str | Path) -> Done:
    """Run a command to its end in this process."""
    out, err = _Captured(), _Captured()
    with redirect_stdout(out), redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return Done(code, out.text(), err.text())


class _Captured(io.TextIOWrapper):
    """A stream that keeps bytes and text in the order in which they were written."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), "utf-8", write_through=True)

    def text(self) -> str:
        kept = self.buffer
        assert isinstance(kept, io.BytesIO)
        return kept.getvalue().decode()
