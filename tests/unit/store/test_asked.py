"""Answers of llama.cpp, kept for whoever asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from advisor.store import asked
from advisor.store.asked import Asked
from tests.support.postgres import Postgres, postgres

__all__ = ["postgres"]
ONE, OTHER = "one owner's secret, long enough", "another owner's secret, long"


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Asked]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'advisor.sqlite3'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    found = Asked.open(url)
    yield found
    found.close()


def keep(store: Asked, key: str, owner: str, **told: int) -> None:
    store.keep(key, owner, model="A model", level="Q4_K_M", query="model=a", told=told)


def test_an_answer_is_seen_by_who_asked_and_a_newer_one_takes_its_place(store: Asked) -> None:
    keep(store, "a", ONE, bytes=1)
    keep(store, "a", OTHER, bytes=2)
    keep(store, "b", ONE, bytes=3)
    keep(store, "a", ONE, bytes=4)
    assert {key: kept.told for key, kept in store.of(ONE, ["a", "b", "c"]).items()} == {
        "a": {"bytes": 4},
        "b": {"bytes": 3},
    }
    assert [(kept.key, kept.model, kept.query) for kept in store.newest(ONE)] == [
        ("a", "A model", "model=a"),
        ("b", "A model", "model=a"),
    ]
    assert [kept.told for kept in store.newest(OTHER)] == [{"bytes": 2}]


def test_the_oldest_go_first(store: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "MOST_KEPT", 3)
    for key in "abcde":
        keep(store, key, ONE)
    assert [kept.key for kept in store.newest(ONE)] == ["e", "d", "c"]
