"""Runs `clary` as a user does: a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def clary(*arguments: str | Path, cwd: Path | None = None) -> Done:
    """Run a command to its end."""
    done = subprocess.run(
        [CLARY, *arguments], capture_output=True, text=True, timeout=120, check=False, cwd=cwd
    )
    return Done(done.returncode, done.stdout, done.stderr)
