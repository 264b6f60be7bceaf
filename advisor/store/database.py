"""The engine behind the store: SQLite in the user's data folder, or PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from advisor.foundation.environment import Environment, environment, must_be
from advisor.foundation.places import user_data_folder
from advisor.store.errors import StoreUnavailable

BUSY_MS = 15_000  # how long a request waits for others to finish writing
_CONNECT_S = 5
_POOL = {"pool_size": 5, "max_overflow": 10, "pool_timeout": 10, "pool_recycle": 1800}
_WAL_TRIES = 100
_WAL_PAUSE_S = 0.05


def default_url() -> str:
    """The address in LLM_FIT_ADVISOR_DATABASE, or an SQLite file in the user's data folder."""
    return environment().database.get_secret_value() or URL.create(
        "sqlite", database=str(user_data_folder() / "advisor.sqlite3")
    ).render_as_string(hide_password=False)


def make_engine(address: str) -> Engine:
    """An engine that connects when it is first used; raises StoreUnavailable where the address makes no sense."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise StoreUnavailable.saying(must_be(Environment, "database")) from None
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return _postgresql(url.set(drivername="postgresql+psycopg"))
    if url.drivername in ("sqlite", "sqlite+pysqlite") and url.database and url.database != ":memory:":
        return _sqlite(url)
    raise StoreUnavailable.saying(must_be(Environment, "database"))


def _postgresql(url: URL) -> Engine:
    # A connection that died while it lay in the pool is noticed and replaced, so the store is back with its database.
    return create_engine(
        url,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": _CONNECT_S,
            "application_name": "llm-fit-advisor",
            "options": f"-c statement_timeout={2 * BUSY_MS} -c lock_timeout={BUSY_MS}",
        },
        **_POOL,
    )


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_MS / 1000}, **_POOL)

    path = Path(url.database or "")

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        entry.info["file"] = _identity(path)
        connection.isolation_level = None  # transactions begin below, not where Python guesses
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")  # what was confirmed outlives a power cut
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "checkout")
    def _check(_: sqlite3.Connection, entry: ConnectionPoolEntry, __: PoolProxiedConnection) -> None:
        # Without this, what is written to a file that was deleted or replaced would be confirmed and lost.
        if entry.info["file"] != _identity(path):
            raise DisconnectionError

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Writers queue up from the start: one that only becomes a writer later can be turned away at once.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _use_wal(connection: sqlite3.Connection) -> None:
    """Readers do not wait for writers. Several processes may try the switch at once, which SQLite does not queue."""
    for attempt in range(_WAL_TRIES):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or attempt == _WAL_TRIES - 1:
                raise
            time.sleep(_WAL_PAUSE_S)
        else:
            return


def prepare_folder(engine: Engine) -> None:
    """The folder of an SQLite file, for its owner only; raises OSError."""
    if engine.dialect.name == "sqlite" and engine.url.database and not engine.url.database.startswith("file:"):
        Path(engine.url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def holds_nothing(engine: Engine) -> bool:
    """Whether nothing was ever kept: there is no SQLite file yet, and looking would make one."""
    name = engine.url.database or ""
    return engine.dialect.name == "sqlite" and not name.startswith("file:") and not Path(name).exists()


def writing(engine: Engine) -> Any:
    """A transaction that writes."""
    return engine.execution_options(writes=True).begin()
