"""Transactions on a database whose schema is up to date, and whose failures are one sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from advisor.store import migrate
from advisor.store.database import writing
from advisor.store.errors import translated


class Sessions:
    """`what` is what a sentence calls the rows. Everything raises StoreUnavailable where there is no database."""

    def __init__(self, engine: Engine, what: str):
        self.engine = engine
        self._what = what
        self._current = False

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with translated("kept", self._what):
            self._upgrade()
            with writing(self.engine) as connection:
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with translated("read", self._what):
            self._upgrade()
            with self.engine.connect() as connection:
                yield connection

    def _upgrade(self) -> None:
        if not self._current:
            migrate.upgrade(self.engine)
            self._current = True


def owner_hash(owner: str) -> str:
    """What is stored of the secret by which somebody finds their own rows again."""
    return hashlib.sha256(owner.encode("utf-8", "replace")).hexdigest()
