"""What the operator does: list, revoke, purge, see quotas, back up and restore, on both databases and across."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from advisor.__main__ import main
from advisor.foundation.errors import InputError
from advisor.quantize.run_request import RunRequest
from advisor.quantize.runs import Runs
from advisor.report.document import Cover, Logo
from advisor.store import SnapshotNotFound, Store, admin, open_store
from advisor.store.asked import Asked
from advisor.store.database import make_engine
from advisor.store.sharing import Sharing
from advisor.store.tables import metadata

OWNER, OTHER = "an owner's secret, long enough", "another secret, long enough"
COVER = Cover(title="Ours \N{SNOWMAN}", note="a\nb", logo=Logo(b"\x89PNG\x00\xff", "png"))


def rows_of(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.engine.connect() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=str)
            for table in metadata.sorted_tables
        }


def filled(store: Store) -> list[str]:
    first = store.freeze("model=x", {"a": 0.1, "b": "\N{SNOWMAN}"}, OWNER, COVER)
    second = store.freeze("model=y", {}, OTHER, expires_in_days=7)
    gone = store.freeze("model=z", {}, OWNER)
    assert store.delete(gone.id, OWNER)
    Asked(store.engine).keep("k" * 64, OWNER, model="M", level="Q8_0", query="model=x", told={"a": [1, None]})
    return [first.id, second.id]


def test_a_backup_comes_back_to_the_byte_into_either_kind_of_database(store: Store, tmp_path: Path) -> None:
    first, _ = filled(store)
    path = tmp_path / "backup.gz"
    assert admin.back_up(store, path) == 4
    assert path.stat().st_mode & 0o077 == 0  # it holds what people froze
    there = open_store(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    assert admin.restore(there, path) == 4
    assert rows_of(there) == rows_of(store)
    found = there.load(first)
    assert found == store.load(first)
    assert found.cover == replace(COVER)
    assert there.delete(first, OWNER)  # whose it was, it still is
    there.close()
    with store.writing() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
    assert admin.restore(store, path) == 4
    assert store.load(first).cover == COVER


def test_nothing_is_overwritten_and_nothing_is_restored_by_half(store: Store, tmp_path: Path) -> None:
    filled(store)
    path, cut, short, other = (tmp_path / name for name in ("a.gz", "cut.gz", "short.gz", "other.gz"))
    admin.back_up(store, path)
    with pytest.raises(InputError, match=r"There is a file a\.gz already"):
        admin.back_up(store, path)
    with pytest.raises(InputError, match="empty one only"):
        admin.restore(store, path)
    there = open_store(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    cut.write_bytes(path.read_bytes()[:-40])
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    short.write_bytes(gzip.compress(b"".join([*lines[:2], lines[-1]])))
    other.write_bytes(b"hello")
    for broken, said in ((cut, "damaged"), (short, "cut off"), (other, "no backup"), (tmp_path / "none", "no file")):
        with pytest.raises(InputError, match=said):
            admin.restore(there, broken)
        assert not any(rows_of(there).values())
    newer = tmp_path / "newer.gz"
    newer.write_bytes(gzip.compress(json.dumps({"format": "llm-fit-advisor-backup", "schema": "9999"}).encode()))
    with pytest.raises(InputError, match="newer version"):
        admin.restore(there, newer)
    there.close()


def test_the_operator_sees_how_much_and_not_what(store: Store) -> None:
    ids = filled(store)
    assert {row.id for row in admin.listed(store)} == set(ids)
    assert [row.id for row in admin.listed(store, 1)] == ids[1:]
    assert "Ours" not in repr(admin.listed(store))
    used = admin.usage(store)
    assert used["frozen"] == 2
    assert used["most_frozen"] == 20_000
    assert used["an_hour_of_a_user"]["uploads"] == 30
    assert [row["frozen"] for row in used["largest_owners"]] == [1, 1]
    assert used["frozen_bytes"] == sum(row.bytes for row in admin.listed(store))


def test_the_operator_sees_who_keeps_what(store: Store) -> None:
    filled(store)
    earlier = Store(store.engine, lambda: datetime.now(UTC) - timedelta(days=3))
    earlier.freeze("model=x", {}, OWNER, sharing=Sharing("company", "ann@example.com"))
    Runs(store.engine).submit(RunRequest(source="tinylm", levels=("Q8_0",)), "a runner's secret, long enough")
    found = admin.users(store)
    assert [(user.frozen, user.runs) for user in found] == [(0, 1), (1, 0), (2, 0)]
    assert [user.name for user in found if "@" in user.name] == ["ann@example.com"]
    assert sum(user.bytes for user in found) == admin.usage(store)["frozen_bytes"]
    assert [user.last for user in found] == sorted((user.last for user in found), reverse=True)


def test_a_revoked_link_says_so_and_a_purge_leaves_nothing(store: Store) -> None:
    first, second = filled(store)
    assert admin.revoke(store, first)
    assert not admin.revoke(store, first)
    assert not admin.revoke(store, "unknown")
    with pytest.raises(SnapshotNotFound, match="was deleted"):
        store.load(first)
    assert admin.purge(store) == 2  # that and the one deleted before
    assert store.load(second).id == second
    later = Store(store.engine, lambda: datetime.now(UTC) - timedelta(days=40))
    old = later.freeze("model=old", {}, OWNER)
    assert admin.purge(store, older_than_days=30) == 1
    with pytest.raises(SnapshotNotFound, match="There is no frozen"):
        store.load(old.id)
    assert store.load(second).id == second


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'advisor.sqlite3'}"
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", url)
    store = open_store(url)
    first, second = filled(store)

    def said(*arguments: str) -> str:
        assert main(("admin", *arguments)) == 0
        return capsys.readouterr().out

    assert first in said("list")
    assert json.loads(said("quota"))["frozen"] == 2
    assert [line.split()[1:4:2] for line in said("users").splitlines()] == [["frozen", "runs"], ["1", "0"], ["1", "0"]]
    assert "revoked" in said("revoke", second)
    assert main(("admin", "revoke", second)) == 2
    assert "There is no frozen recommendation" in capsys.readouterr().err
    assert "2 were removed" in said("purge")
    assert "2 rows were written" in said("backup", str(tmp_path / "b.gz"))
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", f"sqlite:///{tmp_path / 'new.sqlite3'}")
    assert "2 rows were restored" in said("restore", str(tmp_path / "b.gz"))
    assert first in said("list")
    store.close()
    make_engine(url).dispose()
