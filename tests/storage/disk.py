"""What is on the disk, and code that runs where files may grow to a few bytes only."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

_PREAMBLE = """
import resource, sys
from pathlib import Path
from clary.errors import CallerError
here = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes}, {bytes}))
try:
{code}
except CallerError as error:
    print(error)
"""


def said_with_file_limit(code: str, folder: Path, limit_bytes: int = 10_000) -> str:
    """What the CallerError of the code says, with `here` the folder; the system refuses as it
    does when a disk is full."""
    script = _PREAMBLE.format(
        bytes=limit_bytes, code=textwrap.indent(textwrap.dedent(code), "    ")
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True
    )
    return done.stdout


def names_in(folder: Path) -> list[str]:
    """What a folder holds, hidden things too."""
    return sorted(path.name for path in folder.iterdir())
