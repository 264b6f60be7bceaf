"""The store's tables. A change here needs a migration beside it; a test compares the two on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
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
    Column("visibility", String(8), nullable=False, server_default="link"),  # advisor/store/sharing.py
    Column("maker", Text, nullable=False, server_default=""),
    Index(None, "owner_hash", "created_at"),
    Index(None, "expires_at"),
)

# Real quantization runs: the row is the truth, whatever delivers it to a worker (advisor/quantize/runs.py).
runs = Table(
    "runs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("queue", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("request", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("progress", Float, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("worker", String(80), nullable=False),
    Column("heartbeat_at", UtcDateTime),
    Column("cancel", Boolean, nullable=False),
    Column("owner_hash", String(64), nullable=False),
    Column("started_at", UtcDateTime),
    Index(None, "state", "queue"),
    Index(None, "created_at"),
)

# What real runs measured and somebody kept (advisor/sources/local_measurements.py). It outlives its run.
measurements = Table(
    "measurements",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("level", String(80), primary_key=True),
    Column("kept_at", UtcDateTime, nullable=False),
    Column("measurement", Text, nullable=False),
    Column("owner_hash", String(64), nullable=False),
    Index(None, "kept_at"),
)

# What llama.cpp answered to whom (advisor/quantize/kept_answers.py): `key` says what exactly was asked.
asked = Table(
    "asked",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("owner_hash", String(64), primary_key=True),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("model", Text, nullable=False),
    Column("level", String(80), nullable=False),
    Column("query", Text, nullable=False),
    Column("told", Text, nullable=False),
    Index(None, "asked_at"),
)

# By which programs ask where people log in (advisor/store/tokens.py).
tokens = Table(
    "tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("email", String(320), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index(None, "hash"),
)

# How much of their share visitors had (advisor/store/shared_quotas.py). It passes within the hour: no backup holds it.
spent = Table(
    "spent",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("who", String(64), primary_key=True),
    Column("until", Float, nullable=False),
)
KEPT = tuple(table for table in metadata.sorted_tables if table is not spent)
