"""Who may read what is frozen, and tokens: kept as hashes, ended at once; on both databases."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from advisor.__main__ import main
from advisor.foundation.errors import InputError
from advisor.store import ANYBODY, Reader, Sharing, SnapshotNotFound, Store, admin, open_store
from advisor.store.sessions import owner_hash
from advisor.store.sharing import VISIBILITIES, Visibility
from advisor.store.tables import snapshots
from advisor.store.tables import tokens as rows
from advisor.store.tokens import Tokens

ANN, BOB = (f"person:{letter * 64}" for letter in "ab")
READERS = {
    "maker": Reader(owner_hash(ANN)),
    "colleague": Reader(owner_hash(BOB)),
    "stranger with the link": ANYBODY,
    "stranger where links do not suffice": Reader(by_link=False),
}
MAY_READ = {
    "private": {"maker"},
    "company": {"maker", "colleague"},
    "link": {"maker", "colleague", "stranger with the link"},
}


def reads(store: Store, id: str) -> set[str]:
    found = set()
    for name, reader in READERS.items():
        try:
            found.add(name if store.load(id, reader).id == id else "")
        except SnapshotNotFound as error:
            # In the words for what there never was.
            with pytest.raises(SnapshotNotFound) as unknown:
                store.load("2" * 16, reader)
            assert str(error) == str(unknown.value)
    return found


def test_each_kind_is_read_by_those_it_is_for(store: Store) -> None:
    for visibility, then in product(VISIBILITIES, VISIBILITIES):
        made = store.freeze("model=x", {"a": 1}, ANN, sharing=Sharing(visibility, "ann@example.com"))
        assert reads(store, made.id) == MAY_READ[visibility]
        assert store.share(made.id, ANN, then)
        assert reads(store, made.id) == MAY_READ[then]
        assert {one.visibility for one in store.list_own(ANN) if one.id == made.id} == {then}
        assert not store.share(made.id, BOB, "link")  # nobody else's business
        assert not store.delete(made.id, BOB)
        assert reads(store, made.id) == MAY_READ[then]
        assert store.delete(made.id, ANN)
        assert not store.share(made.id, ANN, "link")


def test_that_a_private_one_was_deleted_or_expired_is_told_to_its_maker_alone(store: Store) -> None:
    earlier = Store(store.engine, lambda: datetime.now(UTC) - timedelta(days=3))
    expired = earlier.freeze("model=x", {}, ANN, None, 1, Sharing("private"))
    deleted = store.freeze("model=x", {}, ANN, sharing=Sharing("private"))
    store.delete(deleted.id, ANN)
    for id, words in ((expired.id, "expired on"), (deleted.id, "was deleted")):
        with pytest.raises(SnapshotNotFound, match=words):
            store.load(id, READERS["maker"])
        for reader in list(READERS.values())[1:]:
            with pytest.raises(SnapshotNotFound, match="There is no frozen recommendation"):
                store.load(id, reader)


def test_what_is_neither_kind_is_nobodys(store: Store) -> None:
    made = store.freeze("model=x", {}, ANN)
    with store.writing() as connection:
        connection.execute(update(snapshots).values(visibility="all"))
    assert reads(store, made.id) == set()


def test_what_an_older_version_freezes_is_for_whoever_has_the_link(store: Store) -> None:
    made = store.freeze("model=x", {}, ANN, sharing=Sharing("private", "ann@example.com"))
    columns = ", ".join(column.name for column in snapshots.columns if column.name not in ("visibility", "maker"))
    with store.writing() as connection:
        connection.execute(text(f"CREATE TEMPORARY TABLE old AS SELECT {columns} FROM snapshots"))
        connection.execute(text("DELETE FROM snapshots"))
        connection.execute(text(f"INSERT INTO snapshots ({columns}) SELECT {columns} FROM old"))
    assert reads(store, made.id) == MAY_READ["link"]


def test_a_backup_of_before_comes_back(store: Store, tmp_path: Path) -> None:
    made = store.freeze("model=x", {}, ANN)
    admin.back_up(store, tmp_path / "b.gz")
    lines = [json.loads(line) for line in gzip.decompress((tmp_path / "b.gz").read_bytes()).splitlines()]
    for line in lines:
        for name in ("visibility", "maker"):
            line.get("row", {}).pop(name, None)
    lines[0]["schema"] = "0004"
    (tmp_path / "old.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    there = open_store(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    assert admin.restore(there, tmp_path / "old.gz") == 1
    assert reads(there, made.id) == MAY_READ["link"]
    there.close()


def test_the_operator_sees_who_made_it_until_it_is_deleted(store: Store) -> None:
    made = store.freeze("model=x", {}, ANN, sharing=Sharing("private", "ann@example.com"))
    (row,) = admin.listed(store)
    assert (row.maker, row.visibility) == ("ann@example.com", "private")
    store.delete(made.id, ANN)
    with store.reading() as connection:
        assert connection.execute(select(snapshots.c.maker)).scalars().all() == [""]


def test_a_token_works_until_it_ends_or_is_revoked_and_is_kept_as_a_hash(store: Store) -> None:
    tokens = Tokens(store.engine)
    secret, made = tokens.make("ann@example.com", 1)
    other, _ = tokens.make("bob@example.com", 90)
    assert tokens.whose(secret) == made
    for wrong in ("", "lfa_", secret[:-1], secret + "x", secret.upper(), made.id, f" {secret}", secret + "\n", "é"):
        assert tokens.whose(wrong) is None
    with store.reading() as connection:
        assert secret not in repr(connection.execute(select(rows)).all())
    assert {one.email for one in tokens.listed()} == {"ann@example.com", "bob@example.com"}
    assert tokens.revoke(made.id)
    assert not tokens.revoke(made.id)
    assert tokens.whose(secret) is None
    with store.writing() as connection:
        connection.execute(update(rows).values(expires_at=datetime.now(UTC)))
    assert tokens.whose(other) is None
    assert tokens.listed() == ()


@pytest.mark.parametrize(("email", "days"), [("ann", 1), ("a b@example.com", 1), ("", 1), ("a@b", 0), ("a@b", 367)])
def test_a_token_is_for_somebody_and_for_a_time(email: str, days: int, tmp_path: Path) -> None:
    tokens = Tokens.open(f"sqlite:///{tmp_path / 'advisor.sqlite3'}")
    with pytest.raises(InputError):
        tokens.make(email, days)
    tokens.close()


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LLM_FIT_ADVISOR_DATABASE", f"sqlite:///{tmp_path / 'advisor.sqlite3'}")

    def said(*arguments: str) -> str:
        assert main(("admin", "token", *arguments)) == 0
        return capsys.readouterr().out

    secret, told = said("ann@example.com", "--days", "7").splitlines()
    tokens = Tokens.open()
    made = tokens.whose(secret)
    assert made is not None
    assert made.id in told
    assert "ann@example.com" in said()
    assert secret not in said()
    assert "was revoked" in said("--revoke", made.id)
    assert tokens.whose(secret) is None
    assert main(("admin", "token", "--revoke", made.id)) == 2
    tokens.close()


def test_every_kind_is_looked_at() -> None:
    kinds: tuple[Visibility, ...] = VISIBILITIES
    assert set(kinds) == set(MAY_READ)
