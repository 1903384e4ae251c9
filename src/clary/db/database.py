"""The database: how it is opened, and what one transaction on it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event

from clary.db.tables import Base

_BUSY_SECONDS = 30


class Database:
    """SQLite in a file.

    It has one writer at a time: writes of this process wait for each other here rather than in its
    busy loop. Its log is flushed when it is merged: a killed process loses nothing, a power
    failure may lose the last moments, never the file.
    """

    def __init__(self, path: Path) -> None:
        # Transactions are begun below, so that a writer takes the lock at once
        arguments = {"timeout": _BUSY_SECONDS, "isolation_level": None, "check_same_thread": False}
        self._engine = create_engine(f"sqlite:///{path}", connect_args=arguments)
        self._writing = threading.RLock()
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)
        Base.metadata.create_all(self._engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection on which nothing is changed."""
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it or, after an exception, nothing."""
        with (
            self._writing,
            self._engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        self._engine.dispose()


def _prepare(connection: Any, record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")
