"""What tests of the store have in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from advisor.store import Store, open_store
from tests.support.postgres import Postgres, postgres

__all__ = ["postgres"]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'advisor.sqlite3'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.emptied_database()
    found = open_store(url)
    yield found
    found.close()
