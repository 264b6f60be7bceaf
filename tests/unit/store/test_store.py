"""Frozen recommendations, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect, select, text, update

from advisor.answer.answer import answer
from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.report.as_json import plan_document
from advisor.report.document import Cover, Logo
from advisor.store import SnapshotNotFound, Store, StoreUnavailable, data_release, migrate, new_owner, open_store
from advisor.store.database import default_url, make_engine
from advisor.store.housekeeping import purge, purge_regularly
from advisor.store.snapshot import RESULT_BYTES, fingerprint, storable
from advisor.store.tables import metadata, snapshots
from advisor.ui import server
from tests.support.own_loop import in_own_loop
from tests.support.postgres import PASSWORD, Postgres, postgres

__all__ = ["postgres"]
MIGRATIONS = Path(migrate.__file__).parent / "migrations"
OWNER = "an owner's secret, long enough"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store' / 'advisor.sqlite3'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.emptied_database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = open_store(url)
    yield store
    store.close()


At = Callable[[datetime], Store]


@pytest.fixture
def at(url: str) -> Iterator[At]:
    """Stores of one database that live at another time."""
    made = []

    def open_at(moment: datetime) -> Store:
        made.append(Store(make_engine(url), lambda: moment))
        return made[-1]

    yield open_at
    for store in made:
        store.close()


def test_a_real_answer_comes_back_to_the_digit(store: Store) -> None:
    question = Question.from_query("model=llama-3.1-8b-instruct&machine=rtx-4090&context=8192")
    document = plan_document(answer(question))
    cover = Cover("Größe – 保険金", "Müller & Söhne", "田中", "One\nTwo", Logo(b"\x89PNG\x00\xff", "png"))
    frozen = store.freeze(question.to_query(), document, OWNER, cover)
    loaded = store.load(frozen.id)
    assert loaded == frozen
    assert loaded.result == json.loads(json.dumps(document))
    assert loaded.cover == cover
    assert loaded.query == question.to_query()
    assert loaded.data_release == data_release()
    assert loaded.created_at.tzinfo is not None


def test_ids_are_long_and_never_the_same(store: Store) -> None:
    ids = {store.freeze("model=a", {}, new_owner()).id for _ in range(20)}
    assert len(ids) == 20
    assert all(re.fullmatch(r"[0-9A-Za-z]{16}", id) for id in ids)


def test_an_unknown_id_is_told_plainly(store: Store) -> None:
    for id in ("2222222222222222", "", "x" * 5000, "a'; DROP TABLE snapshots;--", "é" * 16, "\0"):
        with pytest.raises(SnapshotNotFound, match="no frozen recommendation"):
            store.load(id)


def test_only_the_owner_deletes_and_the_link_stops_at_once(store: Store) -> None:
    frozen = store.freeze("model=a", {"secret": 1}, OWNER, Cover("Title", note="Note"))
    assert store.delete(frozen.id, new_owner()) is False
    assert store.load(frozen.id).result == {"secret": 1}
    assert store.delete(frozen.id, OWNER) is True
    with pytest.raises(SnapshotNotFound, match="deleted by its owner"):
        store.load(frozen.id)
    assert store.delete(frozen.id, OWNER) is False
    assert store.list_own(OWNER) == ()
    with store._engine.connect() as connection:
        assert connection.execute(text("SELECT result, note FROM snapshots")).all() == [("{}", "")]


def test_a_list_holds_ones_own_newest_first(at: At) -> None:
    start = datetime(2026, 11, 25, 12, tzinfo=UTC)
    ids = [at(start + timedelta(hours=hour)).freeze(f"users={hour}", {}, OWNER).id for hour in range(3)]
    at(start).freeze("model=other", {}, new_owner())
    assert [summary.id for summary in at(start).list_own(OWNER)] == ids[::-1]


def test_what_expired_is_gone_and_purged_later(at: At) -> None:
    start = datetime(2026, 11, 25, 12, tzinfo=UTC)
    short = at(start).freeze("model=a", {}, OWNER, expires_in_days=1)
    deleted = at(start).freeze("model=a", {}, OWNER)
    forever = at(start).freeze("model=a", {}, OWNER)
    at(start).delete(deleted.id, OWNER)
    assert at(start + timedelta(hours=23)).load(short.id) == short
    with pytest.raises(SnapshotNotFound, match="expired on 2026-11-26"):
        at(start + timedelta(days=1)).load(short.id)
    assert [summary.id for summary in at(start + timedelta(days=1)).list_own(OWNER)] == [forever.id]
    at(start + timedelta(days=29)).freeze("model=b", {}, OWNER)
    with pytest.raises(SnapshotNotFound, match="expired on 2026-11-26"):
        at(start + timedelta(days=30)).load(short.id)
    at(start + timedelta(days=31)).freeze("model=b", {}, OWNER)
    assert at(start + timedelta(days=9999)).load(forever.id) == forever
    with pytest.raises(SnapshotNotFound, match="no frozen"):
        at(start + timedelta(days=31)).load(short.id)


def test_what_expired_is_purged_at_the_start_and_on_a_schedule(at: At) -> None:
    """Twice what expired in between is removed, and what lasts is not; an outage is only passed over."""
    start = datetime(2026, 11, 25, 12, tzinfo=UTC)
    forever = at(start).freeze("model=a", {}, OWNER)
    at(start).freeze("model=a", {}, OWNER, expires_in_days=1)
    at(start).freeze("model=a", {}, OWNER, expires_in_days=90)
    left: list[int] = []
    days = [40, None, 60, 200]

    def later() -> Store:
        day = days.pop(0)  # at last an IndexError, which ends the test
        if day is None:
            raise StoreUnavailable("The database is away.")
        store = at(start + timedelta(days=day))
        with store.engine.connect() as connection:
            left.append(connection.execute(text("SELECT count(*) FROM snapshots")).scalar_one())
        return store

    async def run() -> None:
        with contextlib.suppress(IndexError):
            await purge_regularly(later, every_s=0.001)

    in_own_loop(run())
    assert left == [3, 2, 2]
    assert [summary.id for summary in at(start + timedelta(days=200)).list_own(OWNER)] == [forever.id]
    with at(start).engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM snapshots")).scalar_one() == 1


def test_purging_makes_no_database_where_nothing_was_kept(tmp_path: Path) -> None:
    file = tmp_path / "none" / "advisor.sqlite3"
    assert purge(lambda: open_store(f"sqlite:///{file}")) == 0
    assert not file.parent.exists()


def test_the_app_purges_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'advisor.sqlite3'}"
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", url)
    past = datetime.now(UTC) - timedelta(days=100)
    Store(make_engine(url), lambda: past).freeze("model=a", {}, OWNER, expires_in_days=1)

    async def start() -> int:
        count = 1
        async with server.lifespan(None):  # type: ignore[arg-type]
            for _ in range(500):
                with open_store(url).engine.connect() as connection:
                    count = connection.execute(text("SELECT count(*) FROM snapshots")).scalar_one()
                if not count:
                    break
                await asyncio.sleep(0.02)
        return int(count)

    assert in_own_loop(start()) == 0


def test_what_is_too_large_or_no_json_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match="at most 2,097,152"):
        store.freeze("model=a", {"x": "y" * RESULT_BYTES}, OWNER)
    with pytest.raises(InputError, match="no JSON"):
        store.freeze("model=a", {"x": float("nan")}, OWNER)
    with pytest.raises(InputError, match="no JSON"):
        store.freeze("model=a", {"x": object()}, OWNER)
    with pytest.raises(InputError, match="at most 4,096"):
        store.freeze("x" * 5000, {}, OWNER)
    with pytest.raises(InputError, match="expire after 1 to"):
        store.freeze("model=a", {}, OWNER, expires_in_days=0)
    with pytest.raises(InputError, match="at most 262,144"):
        store.freeze("model=a", {}, OWNER, Cover(logo=Logo(b"x" * 300_000, "png")))
    with pytest.raises(InputError, match="secret is missing"):
        store.freeze("model=a", {}, "short")
    assert store.list_own(OWNER) == ()


def test_an_owner_cannot_fill_the_database(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advisor.store.store.MOST_PER_OWNER", 3)
    ids = [store.freeze("model=a", {}, OWNER).id for _ in range(3)]
    with pytest.raises(InputError, match="delete some"):
        store.freeze("model=a", {}, OWNER)
    store.delete(ids[0], OWNER)
    store.freeze("model=a", {}, OWNER)


def test_what_was_changed_in_the_database_is_not_shown(store: Store) -> None:
    frozen = store.freeze("model=a", {"price": 1}, OWNER)
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE snapshots SET result = '{}'"))
    with pytest.raises(StoreUnavailable, match="was changed"):
        store.load(frozen.id)


def test_texts_that_databases_refuse_are_kept_as_far_as_possible(store: Store) -> None:
    odd = "a\0b\ud800c\u202ed"
    frozen = store.freeze(odd, {"x": odd.replace("\ud800", "")}, OWNER, Cover(odd, odd, odd, f"{odd}\n{odd}"))
    loaded = store.load(frozen.id)
    assert loaded == frozen
    assert loaded.cover.note.count("\n") == 1


@given(st.text(max_size=200))
def test_storable_text_is_one_printable_line(value: str) -> None:
    kept = storable(value)
    assert kept.isprintable()
    assert storable(kept) == kept
    kept.encode()


def test_many_threads_write_and_read_at_once(store: Store) -> None:
    def work(number: int) -> bool:
        frozen = store.freeze(f"users={number}", {"number": number}, OWNER)
        return store.load(frozen.id).result == {"number": number}

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(work, range(60)))
    assert len(store.list_own(OWNER)) == 60


def test_migrations_make_the_tables_that_the_code_uses(url: str) -> None:
    engine = make_engine(url)
    migrate.upgrade(engine)
    migrate.upgrade(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        indexes = {index["name"] for index in inspect(connection).get_indexes("snapshots")}
        assert indexes == {index.name for index in metadata.tables["snapshots"].indexes}
    engine.dispose()


def test_every_migration_runs_up_and_down_with_rows_in_place(url: str) -> None:
    from alembic import command

    engine = make_engine(url)
    script = ScriptDirectory(str(MIGRATIONS))
    revisions = [revision.revision for revision in script.walk_revisions()][::-1]
    assert revisions[-1] == migrate.NEWEST
    store = open_store(url)
    store.freeze("model=a", {}, OWNER)
    for target in [*revisions[-2::-1], "base", *revisions]:
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            known = migrate._version(connection)
            going_up = known is None or (target != "base" and target > known)
            (command.upgrade if going_up else command.downgrade)(config, target)
    assert store.list_own(OWNER) == ()
    store.close()
    engine.dispose()


def test_a_database_from_the_future_is_left_alone(url: str) -> None:
    engine = make_engine(url)
    migrate.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store = open_store(url)
    with pytest.raises(StoreUnavailable, match="schema 9999"):
        store.check()
    store.close()
    engine.dispose()


@pytest.mark.parametrize(
    "address",
    [
        "mysql://u:pass-word-never-shown@h/d",
        "postgresql://u:pass-word-never-shown@h:port/d",
        "sqlite://",
        "nonsense",
        "/a/b",
    ],
)
def test_a_wrong_address_is_told_without_repeating_it(address: str) -> None:
    with pytest.raises(StoreUnavailable, match="LLM_FIT_ADVISOR_DATABASE must be") as caught:
        open_store(address)
    assert PASSWORD not in str(caught.value)


def test_no_password_in_any_error(postgres: Postgres) -> None:
    good = postgres.url("postgres")
    for bad in (
        good.replace("advisor:", "nobody_here:"),
        good.replace(PASSWORD, PASSWORD + "x"),
        postgres.url("no_such_database"),
        good.replace(str(postgres.port), "1"),
        good.replace("127.0.0.1", "no-such-host.invalid"),
    ):
        with pytest.raises(StoreUnavailable, match="works without it") as caught:
            open_store(bad).check()
        assert PASSWORD not in str(caught.value)
        assert caught.value.__suppress_context__
        assert PASSWORD not in repr(open_store(bad)._engine)


def test_the_default_is_a_file_of_the_users_and_one_setting_changes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "a folder % with signs"))
    monkeypatch.delenv("LLM_FIT_ADVISOR_DATABASE", raising=False)
    assert default_url().startswith("sqlite:///")
    store = open_store()
    store.check()
    store.close()
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", "postgresql://u:p@h/d")
    assert default_url() == "postgresql://u:p@h/d"


def test_a_data_release_names_the_newest_check_and_changes_with_the_data(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "fonts").mkdir()
    (tmp_path / "a.csv").write_bytes(b"id,as_of,note\nx,2026-09,2029-01\n")
    (tmp_path / "models" / "m.json").write_text('{"as_of": "2026-10-03"}')
    first = release(tmp_path)
    assert first.startswith("2026-10-03+")
    assert len(first.partition("+")[2]) == 12
    (tmp_path / "fonts" / "coverage.csv").write_text("as_of\n2030-01\n")
    (tmp_path / "picture.png").write_text("x")
    (tmp_path / "a.csv").write_bytes(b"id,as_of,note\r\nx,2026-09,2029-01\r\n")
    assert release(tmp_path) == first
    (tmp_path / "a.csv").write_bytes(b"id,as_of,note\nx,2026-09,2029-02\n")
    assert release(tmp_path) != first
    assert re.fullmatch(r"20\d\d-\d\d(-\d\d)?\+[0-9a-f]{12}", data_release())
    assert data_release() is data_release()


def release(folder: Path) -> str:
    data_release.cache_clear()
    return data_release(folder)


def test_a_fingerprint_covers_everything_shown() -> None:
    row: dict[str, Any] = {
        "id": "a", "created_at": datetime(2026, 1, 1, tzinfo=UTC), "schema_version": 1, "app_version": "1",
        "data_release": "r", "query": "q", "result": "{}", "title": "t", "note": "n", "prepared_for": "p",
        "company": "c", "logo": b"l", "logo_kind": "png",
    }  # fmt: skip
    changed = {"created_at": datetime(2026, 1, 2, tzinfo=UTC), "schema_version": 2, "logo": b"m"}
    prints = {fingerprint(row), *(fingerprint({**row, key: changed.get(key, "other")}) for key in row)}
    assert len(prints) == len(row) + 1
    moved = {**row, "title": "tn", "note": ""}
    assert fingerprint(moved) not in prints


def test_no_more_are_kept_than_the_operator_allows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many secrets are made up."""
    monkeypatch.setenv("LLM_FIT_ADVISOR_MOST_FROZEN", "2")
    first, _ = (store.freeze("model=x", {}, f"{OWNER} {number}") for number in range(2))
    with pytest.raises(InputError, match="2 recommendations are frozen here"):
        store.freeze("model=x", {}, OWNER)
    assert store.delete(first.id, f"{OWNER} 0")
    store.freeze("model=x", {}, OWNER)


def test_what_was_confirmed_outlives_a_power_cut(tmp_path: Path) -> None:
    """SQLite's own default differs by how it was built; every connection of the pool is told."""
    engine = make_engine(f"sqlite:///{tmp_path / 'advisor.sqlite3'}")
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            told = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in _PRAGMAS}
            assert told == _PRAGMAS
    engine.dispose()


_PRAGMAS = {"synchronous": 2, "foreign_keys": 1, "journal_mode": "wal", "busy_timeout": 15_000}


def test_a_logo_comes_back_to_the_byte_and_is_part_of_what_is_signed(store: Store) -> None:
    logo = Logo(b"\x89PNG\r\n\x1a\n\x00\xff", "png")
    made = store.freeze("model=x", {"a": 1}, OWNER, Cover(title="Ours", logo=logo))
    assert made.cover.logo == logo
    assert store.load(made.id).cover.logo == logo
    without = store.freeze("model=x", {"a": 1}, OWNER, Cover(title="Ours"))
    assert store.load(without.id).cover.logo is None
    for change in ({"logo": b"another"}, {"logo_kind": "svg"}, {"logo": None}):
        with store.engine.begin() as connection:
            kept = connection.execute(select(snapshots).where(snapshots.c.id == made.id)).one()
            connection.execute(update(snapshots).where(snapshots.c.id == made.id).values(**change))
        with pytest.raises(StoreUnavailable, match="changed in the database"):
            store.load(made.id)
        with store.engine.begin() as connection:
            before = {"logo": kept.logo, "logo_kind": kept.logo_kind}
            connection.execute(update(snapshots).where(snapshots.c.id == made.id).values(**before))
    assert store.load(made.id).cover.logo == logo
    assert store.delete(made.id, OWNER)
    with store.engine.connect() as connection:
        assert connection.execute(select(snapshots.c.logo).where(snapshots.c.id == made.id)).scalar_one() is None
