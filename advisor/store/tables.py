"""The store's tables. A change here needs a migration beside it; a test compares the two on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Column, DateTime, Dialect, Index, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC, also where the database knows no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# Names of constraints that every database agrees on, so that migrations can refer to them.
metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_name)s"})

snapshots = Table(
    "snapshots",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("schema_version", Integer, nullable=False),
    Column("app_version", String(40), nullable=False),
    Column("data_release", String(80), nullable=False),
    Column("query", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("prepared_for", Text, nullable=False),
    Column("company", Text, nullable=False),
    Column("logo", LargeBinary),
    Column("logo_kind", String(8)),
    Column("owner_hash", String(64), nullable=False),
    Index(None, "owner_hash", "created_at"),
    Index(None, "expires_at"),
)
