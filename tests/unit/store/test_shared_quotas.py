"""Replicas on one PostgreSQL give a visitor one share, whichever is asked; without it each counts for itself."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from advisor.foundation.quotas import HOUR_S, USERS_BEHIND_AN_ADDRESS, OverQuota, Quotas, Visitor
from advisor.store import Store, StoreUnavailable, open_store
from advisor.store.housekeeping import purge
from advisor.store.shared_quotas import SharedQuotas
from advisor.store.tables import spent
from tests.support.postgres import Postgres, postgres

__all__ = ["postgres"]
ROOT = Path(__file__).resolve().parents[3]
MOST = {"uploads": 4, "freezes": 4, "runs": 0, "reads": 4}
ONE = Visitor("one's secret", "203.0.113.5")
Replica = Callable[[], Quotas]

# Asks for as many as it is told, as a made-up user each, and says how many it got.
_ASKS = """
import sys
import time
from advisor.foundation.quotas import OverQuota, Quotas, Visitor
from advisor.store import open_store
from advisor.store.shared_quotas import SharedQuotas
store, got = open_store(sys.argv[1]), 0
counted = Quotas(lambda: {"uploads": 20})
counted.share(SharedQuotas(lambda: store))
store.check()
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    try:
        counted.take("uploads", Visitor(f"{sys.argv[2]} {number}", "203.0.113.5"))
        got += 1
    except OverQuota:
        pass
print(got)
"""


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.emptied_database()


@pytest.fixture
def replica(url: str) -> Iterator[Replica]:
    """Makes one more replica, with its own connections."""
    stores: list[Store] = []

    def made() -> Quotas:
        store = open_store(url)
        stores.append(store)
        counted = Quotas(lambda: MOST)
        counted.share(SharedQuotas(lambda: store))
        return counted

    yield made
    for store in stores:
        store.close()


def had(counted: Quotas, kind: str, visitor: Visitor, asked: int = 30) -> int:
    got = 0
    for _ in range(asked):
        try:
            counted.take(kind, visitor)
        except OverQuota:
            continue
        got += 1
    return got


def test_a_share_is_one_share_however_many_replicas_are_asked(replica: Replica) -> None:
    first, second = replica(), replica()
    assert had(first, "uploads", ONE, 3) == 3
    assert had(second, "uploads", ONE) == 1
    assert had(first, "uploads", ONE) == 0
    with pytest.raises(OverQuota) as caught:
        replica().take("uploads", ONE)
    assert caught.value.wait_s == pytest.approx(HOUR_S / 4, abs=60)
    assert had(second, "freezes", ONE) == 4  # each kind for itself
    assert had(second, "uploads", Visitor("another", "203.0.113.6")) == 4  # and each visitor


def test_an_address_has_one_share_whatever_names_are_made_up(replica: Replica) -> None:
    replicas = [replica(), replica()]
    got = sum(had(replicas[number % 2], "uploads", Visitor(f"s{number}", "203.0.113.5"), 1) for number in range(60))
    assert got == 4 * USERS_BEHIND_AN_ADDRESS


def test_nobody_uses_up_the_share_of_an_address_by_calling_themselves_like_it(replica: Replica) -> None:
    assert had(replica(), "uploads", Visitor("203.0.113.9", "203.0.113.5")) == 4
    assert had(replica(), "uploads", Visitor("", "203.0.113.9")) == 4 * USERS_BEHIND_AN_ADDRESS


def test_what_is_refused_is_not_counted(replica: Replica) -> None:
    first, second = replica(), replica()
    assert had(first, "uploads", ONE, 4) == 4
    assert had(second, "uploads", ONE, 50) == 0
    others = [Visitor(f"s{number}", ONE.address) for number in range(9)]
    assert sum(had(second, "uploads", other, 4) for other in others) == 4 * (USERS_BEHIND_AN_ADDRESS - 1)


def test_who_had_enough_asks_the_database_no_more(url: str) -> None:
    store, asked = open_store(url), 0

    def find() -> Store:
        nonlocal asked
        asked += 1
        return store

    counted, elsewhere = Quotas(lambda: MOST), Quotas(lambda: MOST)
    counted.share(SharedQuotas(find))
    elsewhere.share(SharedQuotas(lambda: store))
    assert had(elsewhere, "uploads", ONE) == 4
    assert had(counted, "uploads", ONE, 100) == had(counted, "runs", ONE) == 0
    assert asked == 1
    assert had(counted, "reads", ONE) == 4
    assert asked == 1  # reads are counted here alone
    store.close()


def test_two_processes_at_once_give_no_more_than_one(url: str) -> None:
    pipe = subprocess.PIPE
    both = [
        subprocess.Popen([sys.executable, "-c", _ASKS, url, name, "150"], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        for name in ("a", "b")
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    got = [int(process.communicate(timeout=120)[0]) for process in both]
    assert sum(got) == 20 * USERS_BEHIND_AN_ADDRESS
    assert all(got), got


def test_the_share_comes_back_by_the_database_s_clock(replica: Replica, url: str) -> None:
    assert had(replica(), "uploads", ONE) == 4
    store = open_store(url)
    with store.writing() as connection:
        connection.execute(spent.update().values(until=spent.c.until - HOUR_S / 2))
    assert had(replica(), "uploads", ONE) == 2
    with store.writing() as connection:
        connection.execute(spent.update().values(until=spent.c.until - 2 * HOUR_S))
    assert had(replica(), "uploads", ONE) == 4
    store.close()


def test_without_the_database_each_counts_for_itself_and_asks_it_now_and_then(
    replica: Replica, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, tries, now, away = open_store(url), 0, [1000.0], True
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def find() -> Store:
        nonlocal tries
        tries += 1
        if away:
            raise StoreUnavailable("It is away.")
        return store

    counted = Quotas(lambda: MOST, lambda: now[0])
    counted.share(SharedQuotas(find))
    assert had(counted, "uploads", ONE, 3) == 3
    assert tries == 1
    away = False
    assert had(counted, "uploads", ONE, 1) == 1
    assert tries == 1
    now[0] += HOUR_S / 4
    assert had(counted, "uploads", ONE) == 4  # the database knows nothing of what was had without it
    assert had(replica(), "uploads", ONE) == 0
    store.close()


def test_an_sqlite_file_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "advisor.sqlite3"
    store = open_store(f"sqlite:///{path}")
    counted = Quotas(lambda: MOST)
    counted.share(SharedQuotas(lambda: store))
    assert had(counted, "uploads", ONE) == 4
    assert not path.exists()


def test_neither_names_nor_addresses_are_kept_and_nothing_for_longer_than_it_counts(replica: Replica, url: str) -> None:
    had(replica(), "uploads", ONE)
    had(replica(), "freezes", Visitor("", "203.0.113.7"), 1)
    store = open_store(url)

    def rows() -> list[str]:
        with store.reading() as connection:
            return [row.who for row in connection.execute(select(spent))]

    assert len(rows()) == 3
    assert all(len(who) == 64 and set(who) <= set("0123456789abcdef") for who in rows())
    with store.writing() as connection:
        connection.execute(spent.update().where(spent.c.kind == "uploads").values(until=spent.c.until - HOUR_S))
    purge(lambda: store)
    assert len(rows()) == 1
    store.close()
