"""The tables: resources with their requests and states, tags, and values of metrics."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Base of the tables."""


class Resource(Base):
    """A training job, model, endpoint configuration, endpoint, … under its name.

    request: as it came, in the API's own words. state: what came of it, in the same words; what
    Describe answers is the two together. attempt: how often its work was begun. Times are
    milliseconds of the epoch.
    """

    __tablename__ = "resources"
    __table_args__ = (
        UniqueConstraint("kind", "name"),
        Index("resources_by_creation", "kind", "created", "id"),
        Index("resources_by_change", "kind", "modified", "id"),
        Index("resources_by_status", "kind", "status", "id"),
        Index("resources_by_arn", text("lower(arn)")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(63))
    arn: Mapped[str] = mapped_column(String(256), unique=True)
    status: Mapped[str] = mapped_column(String(24), default="")
    created: Mapped[int] = mapped_column(BigInteger)
    modified: Mapped[int] = mapped_column(BigInteger)
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    attempt: Mapped[int] = mapped_column(default=0)


class Tag(Base):
    """One tag of a resource."""

    __tablename__ = "tags"

    resource_id: Mapped[int] = mapped_column(
        ForeignKey("resources.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    value: Mapped[str] = mapped_column(String(256))


class MetricValue(Base):
    """One value of a job's metric, scraped from a line of its log."""

    __tablename__ = "metric_values"
    __table_args__ = (Index("metric_values_by_name", "resource_id", "name", "time"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    resource_id: Mapped[int] = mapped_column(ForeignKey("resources.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    time: Mapped[int] = mapped_column(BigInteger)
    value: Mapped[float] = mapped_column(Float)
