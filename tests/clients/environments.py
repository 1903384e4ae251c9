"""The clients' virtual environments, made below `.clients/` in the checkout when asked for.

A file of pinned versions says what is in one. All that its client imports is listed, so that pip
need not look for what fits: of SDK 3 that is a fifth of the gigabyte it would otherwise bring.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / ".clients"
_TRIES = 3
_TIMEOUT_SECONDS = 600


def folder_of(client: str) -> Path:
    """The environment of `sdk2` or `sdk3`: complete, and the same for every test process."""
    pins = HERE / f"{client}.txt"
    of = f"{sys.version_info[:3]}{sys.prefix}".encode() + pins.read_bytes()
    folder = FOLDER / f"{client}-{hashlib.sha256(of).hexdigest()[:12]}"
    with _alone(folder):
        if not (folder / "complete").exists():
            _made(folder, pins)
            (folder / "complete").touch()
    return folder


def _made(folder: Path, pins: Path) -> None:
    """A new environment; the index may fail for a moment."""
    _run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder))
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    install = ["install", "--quiet", "--no-deps", "--no-compile", "--only-binary", ":all:"]
    for left in reversed(range(_TRIES)):
        try:
            _run(*pip, *install, "-r", str(pins))
            break
        except AssertionError:
            if not left:
                raise


def _run(*command: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
