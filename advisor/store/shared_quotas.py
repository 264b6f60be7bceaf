"""What visitors had, counted by all replicas together: in their database, where that is PostgreSQL.

An SQLite file belongs to one machine, whose processes count for themselves. Where the database is away so does every
replica, until it is back.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Float, cast, delete, extract, func
from sqlalchemy.dialects.postgresql import insert

from advisor.foundation.quotas import HOUR_S, Charge
from advisor.store.errors import StoreUnavailable
from advisor.store.store import Store
from advisor.store.tables import spent

_AWAY_S = 10.0  # a database that does not answer is left alone for so long
_NOW = cast(extract("epoch", func.clock_timestamp()), Float)  # the database's clock: each machine has its own


class SharedQuotas:
    """A ledger (advisor/foundation/quotas.py) in the database of a store, which is looked for each time."""

    def __init__(self, find_store: Callable[[], Store]):
        self._find = find_store
        self._again = 0.0

    def __call__(self, charges: Sequence[Charge]) -> Sequence[float] | None:
        if time.monotonic() < self._again:
            return None
        try:
            store = self._find()
            if store.engine.dialect.name != "postgresql":
                return None
            with store.writing() as connection:
                left = [_charged(connection, charge) for charge in charges]
                if max(left, default=0.0) > HOUR_S:
                    connection.rollback()
                return left
        except StoreUnavailable:
            self._again = time.monotonic() + _AWAY_S
            return None


def forget_past(store: Store) -> int:
    """Remove whose share is whole again; how many. Raises StoreUnavailable."""
    if store.engine.dialect.name != "postgresql":
        return 0
    with store.writing() as connection:
        return int(connection.execute(delete(spent).where(spent.c.until < _NOW)).rowcount)


def _charged(connection: Connection, charge: Charge) -> float:
    """In one statement, for which others that charge the same visitor wait until this transaction ends."""
    new = insert(spent).values(kind=charge.kind, who=_hash(charge.whose), until=_NOW + charge.seconds)
    added = new.on_conflict_do_update(
        index_elements=[spent.c.kind, spent.c.who],
        set_={"until": func.greatest(spent.c.until, _NOW) + charge.seconds},
    )
    return float(connection.execute(added.returning(spent.c.until - _NOW)).scalar_one())


def _hash(whose: str) -> str:
    return hashlib.sha256(whose.encode("utf-8", "replace")).hexdigest()
