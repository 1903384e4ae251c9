"""The server's folder: who has it, and where its server is reached."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from clary.errors import CallerError
from clary.jobs.platform import Account
from clary.storage.folder import whole_file

_FACTS, _LOCK = "server.json", "server.lock"
_LOOK_SECONDS = 0.05
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True)
class ServerFacts:
    """What clients need to know of a running server.

    proxy_port: of the proxy for fixed AWS hosts, on loopback. certificates: a file of those that
    its clients have to trust. s3_url: of an object store elsewhere.
    """

    pid: int
    host: str
    port: int
    region: str
    account: str
    root: str
    proxy_port: int = 0
    certificates: str = ""
    s3_url: str = ""

    @classmethod
    def of(cls, root: Path, listener: socket.socket, account: Account) -> Self:
        host, port = listener.getsockname()[:2]
        return cls(os.getpid(), host, port, account.region, account.id, str(root))

    @property
    def reached_by(self) -> str:
        """The host by which this machine reaches the server."""
        return _ANY_ADDRESS.get(self.host, self.host)

    @property
    def url(self) -> str:
        host = self.reached_by
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


@contextmanager
def taken(root: Path) -> Iterator[None]:
    """Inside, the root is this process's alone; the system gives it back even after a kill.

    Raises:
        CallerError: another server has it, or it cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = (root / _LOCK).open("a")
    except OSError as error:
        raise CallerError.of(f"root {root}", f"cannot be used: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _has_a_server(root) from None
        yield


@contextmanager
def announced(root: Path, facts: ServerFacts) -> Iterator[ServerFacts]:
    """Inside, `running` finds the server."""
    path = root / _FACTS
    with whole_file(path) as out:
        out.write(json.dumps(asdict(facts), indent=2).encode())
    try:
        yield facts
    finally:
        path.unlink(missing_ok=True)


def running(root: Path) -> ServerFacts | None:
    """The server of a root, if one is up."""
    if not _is_locked(root):
        return None
    with suppress(OSError, ValueError, TypeError):
        return ServerFacts(**json.loads((root / _FACTS).read_text()))
    return None


def down(root: Path, seconds: float) -> bool:
    """End the server of a root; whether there was one.

    Raises:
        CallerError: it did not end in time.
    """
    facts = running(root)
    if facts is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(facts.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while _is_locked(root):
        if time.monotonic() > deadline:
            raise CallerError.of(f"server {facts.pid}", f"did not end within {seconds:g} s")
        time.sleep(_LOOK_SECONDS)
    return True


def _is_locked(root: Path) -> bool:
    try:
        with (root / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _has_a_server(root: Path) -> CallerError:
    facts = running(root)
    where = f" at {facts.url} (process {facts.pid})" if facts else ""
    return CallerError.of(
        f"root {root}",
        f"has a server already{where}",
        remedy="Use that one, end it with `clary down`, or give another --root.",
    )
