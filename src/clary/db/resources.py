"""Resources in the database: made, found, changed, listed, tagged."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from clary.db.database import Database
from clary.db.tables import Resource, Tag

_RESOURCES, _TAGS = cast(Table, Resource.__table__), cast(Table, Tag.__table__)
_COLUMNS = _RESOURCES.c
_ONE = select(_RESOURCES).where(
    _COLUMNS.kind == bindparam("kind"), _COLUMNS.name == bindparam("name")
)
_SORT = {
    "Name": _COLUMNS.name,
    "CreationTime": _COLUMNS.created,
    "LastModifiedTime": _COLUMNS.modified,
    "Status": _COLUMNS.status,
}


class Taken(Exception):
    """The name is taken; its `arn`."""

    def __init__(self, arn: str) -> None:
        super().__init__(arn)
        self.arn = arn


class Missing(Exception):
    """There is no such resource."""


@dataclass
class Row:
    """A resource as it is stored. Times are milliseconds of the epoch.

    request: as it came. state: what came of it, in the API's words; what is the server's own has
    a name with an underscore before it.
    """

    id: int
    kind: str
    name: str
    arn: str
    status: str
    created: int
    modified: int
    request: dict[str, Any]
    state: dict[str, Any] = field(default_factory=dict)
    attempt: int = 0

    def shown(self) -> dict[str, Any]:
        """The request, and what came of it."""
        state = {name: value for name, value in self.state.items() if not name.startswith("_")}
        return {**self.request, **state}


@dataclass(frozen=True)
class Wanted:
    """Which resources a list is to hold, and in which order.

    sort: Name, CreationTime, LastModifiedTime or Status. after: the last one of the page before,
    as its value of the sort and its id. `below` and `from` bounds of times are exclusive.
    """

    contains: str | None = None
    status: str | None = None
    created_after: int | None = None
    created_before: int | None = None
    modified_after: int | None = None
    modified_before: int | None = None
    sort: str = "CreationTime"
    descending: bool = False
    limit: int = 10
    after: tuple[Any, int] | None = None


class Resources:
    """The resources of one account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        kind: str,
        name: str,
        arn: str,
        request: Mapping[str, Any],
        *,
        status: str = "",
        state: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Row:
        """
        Raises:
            Taken: a resource of this kind has the name already.
        """
        now = milliseconds()
        values: dict[str, Any] = {
            "kind": kind,
            "name": name,
            "arn": arn,
            "status": status,
            "created": now,
            "modified": now,
            "request": dict(request),
            "state": dict(state or {}),
            "attempt": 0,
        }
        try:
            with self._database.writing() as connection:
                done = connection.execute(insert(_RESOURCES).values(values))
                (identity,) = done.inserted_primary_key or (0,)
                rows = [
                    {"resource_id": identity, "key": key, "value": value}
                    for key, value in (tags or {}).items()
                ]
                if rows:
                    connection.execute(insert(_TAGS), rows)
        except IntegrityError:
            raise Taken(arn) from None
        return Row(id=identity, **values)

    def find(self, kind: str, name: str) -> Row | None:
        with self._database.reading() as connection:
            found = connection.execute(_ONE, {"kind": kind, "name": name}).first()
        return Row(*found) if found else None

    def find_arn(self, arn: str) -> Row | None:
        """The resource of an ARN, which is compared without case."""
        with self._database.reading() as connection:
            query = select(_RESOURCES).where(func.lower(_COLUMNS.arn) == arn.lower())
            found = connection.execute(query).first()
        return Row(*found) if found else None

    @contextmanager
    def changing(self, kind: str, name: str) -> Iterator[Row]:
        """A resource that nobody else changes meanwhile; what is changed of it is kept.

        Raises:
            Missing: there is no such one.
        """
        with self._database.writing() as connection:
            found = connection.execute(_ONE, {"kind": kind, "name": name}).first()
            if not found:
                raise Missing(name)
            row = Row(*found)
            yield row
            row.modified = max(milliseconds(), row.modified)
            connection.execute(
                update(_RESOURCES)
                .where(_COLUMNS.id == row.id)
                .values(
                    status=row.status,
                    state=row.state,
                    request=row.request,
                    attempt=row.attempt,
                    modified=row.modified,
                )
            )

    @contextmanager
    def changing_or(self, otherwise: Row) -> Iterator[Row]:
        """As `changing`, for who has the row: where it is gone, that one is changed for nobody."""
        with ExitStack() as stack:
            try:
                row = stack.enter_context(self.changing(otherwise.kind, otherwise.name))
            except Missing:
                row = otherwise
            yield row

    def remove(self, kind: str, name: str) -> bool:
        """Whether there was one."""
        with self._database.writing() as connection:
            where = (_COLUMNS.kind == kind) & (_COLUMNS.name == name)
            return bool(connection.execute(delete(_RESOURCES).where(where)).rowcount)

    def in_status(self, kind: str, statuses: Sequence[str]) -> list[Row]:
        """All resources of a kind that are in one of these states, oldest first."""
        query = (
            select(_RESOURCES)
            .where(_COLUMNS.kind == kind, _COLUMNS.status.in_(statuses))
            .order_by(_COLUMNS.created, _COLUMNS.id)
        )
        with self._database.reading() as connection:
            return [Row(*found) for found in connection.execute(query)]

    def page(self, kind: str, wanted: Wanted) -> tuple[list[Row], tuple[Any, int] | None]:
        """One page, and where the next begins, if there is one."""
        column = _SORT[wanted.sort]
        order = (column.desc(), _COLUMNS.id.desc()) if wanted.descending else (column, _COLUMNS.id)
        query = (
            select(_RESOURCES)
            .where(_COLUMNS.kind == kind, *_conditions(wanted))
            .order_by(*order)
            .limit(wanted.limit + 1)
        )
        with self._database.reading() as connection:
            rows = [Row(*found) for found in connection.execute(query)]
        more = len(rows) > wanted.limit
        rows = rows[: wanted.limit]
        last = rows[-1] if rows else None
        after = (getattr(last, column.key), last.id) if more and last else None
        return rows, after

    def each(self, kind: str) -> Iterator[Row]:
        """All of a kind, newest first, read in pages."""
        after = None
        while True:
            wanted = Wanted(descending=True, limit=200, after=after)
            rows, after = self.page(kind, wanted)
            yield from rows
            if after is None:
                return

    def tags(self, resource: Row) -> dict[str, str]:
        query = select(_TAGS.c.key, _TAGS.c.value).where(_TAGS.c.resource_id == resource.id)
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(_TAGS.c.key)).all()
        return {row.key: row.value for row in found}

    def set_tags(self, resource: Row, tags: Mapping[str, str]) -> None:
        """Add tags; one whose key is there already gets the new value."""
        with self._database.writing() as connection:
            _without(connection, resource, list(tags))
            rows = [
                {"resource_id": resource.id, "key": key, "value": value}
                for key, value in tags.items()
            ]
            if rows:
                connection.execute(insert(_TAGS), rows)

    def remove_tags(self, resource: Row, keys: Sequence[str]) -> None:
        with self._database.writing() as connection:
            _without(connection, resource, keys)


def milliseconds() -> int:
    """Now, as the tables keep it."""
    return time.time_ns() // 1_000_000


def _without(connection: Any, resource: Row, keys: Sequence[str]) -> None:
    where = (_TAGS.c.resource_id == resource.id) & _TAGS.c.key.in_(keys)
    connection.execute(delete(_TAGS).where(where))


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.contains:
        # Names compare with case, as SageMaker's do; SQLite's LIKE does not
        yield func.instr(_COLUMNS.name, wanted.contains) > 0
    if wanted.status:
        yield _COLUMNS.status == wanted.status
    if wanted.created_after is not None:
        yield _COLUMNS.created > wanted.created_after
    if wanted.created_before is not None:
        yield _COLUMNS.created < wanted.created_before
    if wanted.modified_after is not None:
        yield _COLUMNS.modified > wanted.modified_after
    if wanted.modified_before is not None:
        yield _COLUMNS.modified < wanted.modified_before
    if wanted.after is not None:
        value, identity = wanted.after
        column = _SORT[wanted.sort]
        if wanted.descending:
            yield or_(column < value, and_(column == value, _COLUMNS.id < identity))
        else:
            yield or_(column > value, and_(column == value, _COLUMNS.id > identity))
