"""What llama.cpp answered, kept for whoever asked: a reload or another day shows it again."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from advisor.foundation.message import sentence
from advisor.store.database import default_url, make_engine
from advisor.store.errors import StoreUnavailable
from advisor.store.sessions import Sessions, owner_hash
from advisor.store.tables import asked

MOST_KEPT = 2000  # by everybody together; the oldest go first
_LISTED = 10


@dataclass(frozen=True, slots=True)
class Kept:
    """One answer. `key` says what exactly was asked, `query` is the question it came from, `told` what was answered."""

    key: str
    asked_at: datetime
    model: str
    level: str
    query: str
    told: Mapping[str, Any]


class Asked:
    """All kept answers in one database. Raises StoreUnavailable where that cannot be reached."""

    def __init__(self, engine: Engine):
        self._rows = Sessions(engine, sentence("Answers"))

    @classmethod
    def open(cls, url: str | None = None) -> Asked:
        return cls(make_engine(url or default_url()))

    def close(self) -> None:
        self._rows.close()

    def keep(self, key: str, owner: str, *, model: str, level: str, query: str, told: Mapping[str, Any]) -> None:
        """Keep an answer; a newer one to the same takes the place of the older."""
        values = {
            "asked_at": datetime.now(UTC), "model": model, "level": level, "query": query, "told": json.dumps(told),
        }  # fmt: skip
        with self._rows.writing() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            new = dialect.insert(asked).values({"key": key, "owner_hash": owner_hash(owner), **values})
            connection.execute(new.on_conflict_do_update(index_elements=["key", "owner_hash"], set_=values))
            last = select(asked.c.asked_at).order_by(asked.c.asked_at.desc()).limit(1).offset(MOST_KEPT - 1)
            connection.execute(delete(asked).where(asked.c.asked_at < last.scalar_subquery()))

    def of(self, owner: str, keys: Collection[str]) -> Mapping[str, Kept]:
        """Those of `keys` that `owner` asked."""
        wanted = select(asked).where(asked.c.owner_hash == owner_hash(owner), asked.c.key.in_(keys))
        return {kept.key: kept for kept in self._read(wanted)}

    def newest(self, owner: str) -> tuple[Kept, ...]:
        """The last ones that `owner` asked, newest first."""
        own = select(asked).where(asked.c.owner_hash == owner_hash(owner))
        return self._read(own.order_by(asked.c.asked_at.desc(), asked.c.key).limit(_LISTED))

    def _read(self, wanted: Any) -> tuple[Kept, ...]:
        with self._rows.reading() as connection:
            rows = connection.execute(wanted).all()
        try:
            return tuple(
                Kept(row.key, row.asked_at, row.model, row.level, row.query, json.loads(row.told)) for row in rows
            )
        except ValueError:
            raise StoreUnavailable("Kept answers cannot be read: another version of the advisor wrote them.") from None
