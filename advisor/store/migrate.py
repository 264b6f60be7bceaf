"""Brings a database to the newest schema, safely with several processes at once, and while older ones go on.

Of a rolling upgrade the first new process migrates, and the old ones serve on with the new schema. So a migration only
adds: tables, indexes, and columns that may be empty or have a default in the database. One that cannot begins a new
series: its number has another first digit, which older programs refuse (`tests/unit/store/test_rolling_upgrade.py`).
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from advisor.store.database import prepare_folder, writing
from advisor.store.errors import StoreUnavailable

NEWEST = "0006"  # the last file in migrations/versions
_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7_342_986_120_551  # any number that no other program on the same PostgreSQL uses


def upgrade(engine: Engine) -> None:
    """Run what is missing, in one transaction that others wait for; a no-op on a current database, or on a newer one
    whose schema only adds to ours.

    Raises SQLAlchemyError or OSError where the database cannot be used, StoreUnavailable where its schema is of a
    later series than this program knows.
    """
    prepare_folder(engine)
    with engine.connect() as connection:
        if _serves(_version(connection)):
            return
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        found = _version(connection)
        if _serves(found):  # while this one waited
            return
        if found is not None and found > NEWEST:
            raise StoreUnavailable(
                "The database of frozen recommendations has schema {found}, this program knows {newest}: update it.",
                found=found,
                newest=NEWEST,
            )
        _run(connection)


def _serves(found: str | None) -> bool:
    """Whether a database of that schema holds all that this program needs."""
    return found is not None and found >= NEWEST and found[0] == NEWEST[0]


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _run(connection: Connection) -> None:
    # Imported here: it takes longer than everything else, and is needed once in a database's life.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
