"""Transactions on a database whose schema is up to date, and whose failures are one sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from sqlalchemy import Connection, Engine

from advisor.foundation.message import Message
from advisor.foundation.turns import elsewhere
from advisor.store import migrate
from advisor.store.database import writing
from advisor.store.errors import StoreUnavailable, translated


class Sessions:
    """`what` is what a sentence calls the rows. Everything raises StoreUnavailable where there is no database.

    The schema is looked at once a process, and again after a failure: another database may be there by then.
    """

    def __init__(self, engine: Engine, what: Message):
        self.engine = engine
        self._what = what
        self._current = False
        self._lock = Lock()

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self.working("kept"), writing(self.engine) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self.working("read"), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def working(self, doing: str) -> Iterator[None]:
        """A failure told in one sentence ("... cannot be {doing} now"), around a database whose schema is current."""
        try:
            with elsewhere(), translated(doing, self._what):
                with self._lock:
                    if not self._current:
                        migrate.upgrade(self.engine)
                        self._current = True
                yield
        except StoreUnavailable:
            self._current = False
            raise


def owner_hash(owner: str) -> str:
    """What is stored of the secret by which somebody finds their own rows again."""
    return hashlib.sha256(owner.encode("utf-8", "replace")).hexdigest()
