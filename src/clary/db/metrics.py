"""Values of metrics in the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

from sqlalchemy import Table, insert, select

from clary.db.database import Database
from clary.db.resources import Row
from clary.db.tables import MetricValue

_VALUES = cast(Table, MetricValue.__table__)


class Value(NamedTuple):
    """One value of a metric; the time is milliseconds of the epoch."""

    name: str
    time: int
    value: float


class Metrics:
    """What jobs reported."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, resource_id: int, values: Iterable[Value]) -> None:
        """Keep values of a resource; those of a resource that is gone are not kept."""
        rows = [{"resource_id": resource_id, **value._asdict()} for value in values]
        if rows:
            with self._database.writing() as connection:
                connection.execute(insert(_VALUES), rows)

    def clear(self, resource_id: int) -> None:
        """Forget what an attempt reported that begins anew."""
        with self._database.writing() as connection:
            connection.execute(_VALUES.delete().where(_VALUES.c.resource_id == resource_id))

    def of(
        self, resource: Row, name: str | None = None, between: tuple[int, int] | None = None
    ) -> Sequence[Value]:
        """In the order they came; of one metric and of a time, end excluded, if these are given."""
        query = select(_VALUES.c.name, _VALUES.c.time, _VALUES.c.value).where(
            _VALUES.c.resource_id == resource.id
        )
        if name is not None:
            query = query.where(_VALUES.c.name == name)
        if between is not None:
            query = query.where(_VALUES.c.time >= between[0], _VALUES.c.time < between[1])
        with self._database.reading() as connection:
            return [Value(*row) for row in connection.execute(query.order_by(_VALUES.c.id))]
