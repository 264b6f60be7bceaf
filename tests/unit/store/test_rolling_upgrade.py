"""Both versions serve while replicas are replaced one by one: what the old one asks of the database still works."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Boolean,
    Connection,
    DateTime,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    delete,
    insert,
    select,
    text,
    update,
)

from advisor.report.document import Cover
from advisor.store import Store, migrate, open_store
from advisor.store.database import make_engine, writing
from advisor.store.tables import snapshots
from tests.support.postgres import Postgres, postgres

__all__ = ["postgres"]
MIGRATIONS = Path(migrate.__file__).parent / "migrations"
REVISIONS = [one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
# A new series may break with what was before it.
STEPS = [(old, new) for old, new in itertools.pairwise(REVISIONS) if old[0] == new[0]]
OWNER = "an owner's secret, long enough"


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'advisor.sqlite3'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.emptied_database()
    engine = make_engine(url)
    yield engine
    engine.dispose()


def migrated(engine: Engine, revision: str) -> None:
    with writing(engine) as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def tables_of(engine: Engine) -> list[Table]:
    """As a program of that time knows them: it names each column that there is."""
    known = MetaData()
    known.reflect(engine)
    return [table for name, table in known.tables.items() if name != "alembic_version"]


_EXAMPLES: tuple[tuple[type[Any], Any], ...] = (
    (DateTime, datetime(2026, 11, 30, tzinfo=UTC)), (Boolean, False), (Integer, 1), (Float, 0.5), (LargeBinary, b"x"),
)  # fmt: skip


def row(table: Table, key: str) -> dict[str, Any]:
    """A row as the program of that time writes it."""
    kinds = {column.name: column.type for column in table.columns}
    keys = {column.name for column in table.primary_key}
    values = {
        name: next((value for of, value in _EXAMPLES if isinstance(kind, of)), "a") for name, kind in kinds.items()
    }
    return values | dict.fromkeys(keys, key)


def old_statements(connection: Connection, table: Table, key: str) -> None:
    """What a program does with a table: put in, look up, change, take out."""
    own = [column == key for column in table.primary_key]
    values = row(table, key)
    connection.execute(insert(table).values(values))
    assert connection.execute(select(table).where(*own)).one()[0] == values[table.columns[0].name]
    assert connection.execute(update(table).where(*own).values(values)).rowcount == 1
    assert connection.execute(delete(table).where(*own)).rowcount == 1


@pytest.mark.parametrize(("old", "new"), STEPS)
def test_what_the_old_version_asks_works_on_the_new_schema(engine: Engine, old: str, new: str) -> None:
    migrated(engine, old)
    tables = tables_of(engine)
    assert tables
    with writing(engine) as connection:
        for table in tables:
            connection.execute(insert(table).values(row(table, "before")))
    migrated(engine, new)
    with writing(engine) as connection:
        for table in tables:
            old_statements(connection, table, "after")
            assert len(connection.execute(select(table)).all()) == 1, "what was there stays"


def test_the_old_version_serves_while_the_newest_migration_is_applied(engine: Engine) -> None:
    old, new = STEPS[-1]
    migrated(engine, old)
    tables = tables_of(engine)
    done, stop = [0, 0], threading.Event()
    failures: list[Exception] = []

    def serve(number: int) -> None:
        while not stop.is_set():
            try:
                with writing(engine) as connection:
                    for table in tables:
                        old_statements(connection, table, f"{number} {done[number]}"[:16])
                done[number] += 1
                stop.wait(0.005)  # SQLite gives its lock to whoever asks first, not to whoever waits longest
            except Exception as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    wait_for_more(done, failures)
    migrate.upgrade(engine)
    with engine.connect() as connection:
        assert migrate._version(connection) == new
    wait_for_more(done, failures)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not failures


def wait_for_more(done: list[int], failures: list[Exception]) -> None:
    """Until each of them has gone round again."""
    begun = list(done)
    waited = threading.Event()
    for _ in range(3000):
        if failures or all(now > then for now, then in zip(done, begun, strict=True)):
            return
        waited.wait(0.01)
    raise AssertionError("they stand still")


def test_what_the_old_version_froze_meanwhile_the_new_one_shows(engine: Engine) -> None:
    """A row with nothing in the newest columns is one that was frozen without what they stand for."""
    old, _ = STEPS[-1]
    migrated(engine, old)
    known = next(table for table in tables_of(engine) if table.name == snapshots.name)
    store = Store(engine)
    store.check()
    frozen = store.freeze("model=a", {"x": 1}, OWNER, Cover("Title", note="Note"), 30)
    with writing(engine) as connection:
        (written,) = connection.execute(select(known)).all()
        connection.execute(delete(known))
        connection.execute(insert(known).values(dict(written._mapping)))
    assert store.load(frozen.id) == frozen
    assert [one.id for one in store.list_own(OWNER)] == [frozen.id]


def test_a_newer_schema_is_served_as_long_as_it_only_adds(engine: Engine) -> None:
    """An old replica that loses its database for a moment during the upgrade finds a newer one."""
    migrate.upgrade(engine)
    newer = f"{migrate.NEWEST[0]}{'9' * (len(migrate.NEWEST) - 1)}"
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :newer"), {"newer": newer})
    store = open_store(engine.url.render_as_string(hide_password=False))
    assert store.load(store.freeze("model=a", {"x": 1}, OWNER).id).result == {"x": 1}
    store.close()
