"""Keeping frozen recommendations: freeze, load, delete, list one's own, purge.

A store connects when it is first used and again whenever its database is back. Any number of threads and processes
may use one database. Every failure of the database is a StoreUnavailable, so that callers can go on without.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from advisor import __version__
from advisor.foundation.data_release import data_release
from advisor.foundation.environment import environment
from advisor.foundation.errors import InputError
from advisor.foundation.message import sentence
from advisor.report.document import Cover, Logo
from advisor.store.database import default_url, make_engine, writing
from advisor.store.errors import SnapshotNotFound, StoreUnavailable
from advisor.store.sessions import Sessions
from advisor.store.sharing import ANYBODY, BY_LINK, Reader, Sharing, Visibility
from advisor.store.snapshot import (
    SCHEMA_VERSION,
    Snapshot,
    Summary,
    checked_cover,
    checked_query,
    fingerprint,
    result_text,
    storable,
)
from advisor.store.tables import snapshots

# No letters that look alike, no vowels that make words.
_ALPHABET = "23456789BCDFGHJKMNPQRSTVWXYZbcdfghjkmnpqrstvwxyz"
_ID_LENGTH = 16  # 48^16: about 89 bits
MOST_PER_OWNER = 500
MOST_DAYS = 3650
# What a deleted one no longer holds.
EMPTIED: Mapping[str, Any] = {
    "result": "{}", "logo": None, "note": "", "title": "", "company": "", "prepared_for": "", "maker": "",
}  # fmt: skip
KEPT_DAYS = 30  # after it expired or was deleted, so that its link can say what happened


def new_owner() -> str:
    """A secret that whoever freezes something keeps, to list and delete it later. Only its hash is stored."""
    return secrets.token_urlsafe(24)


def open_store(url: str | None = None) -> Store:
    """The store at a database address (by default LLM_FIT_ADVISOR_DATABASE, else a file in the user's data folder).

    Connects later; raises StoreUnavailable only where the address makes no sense.
    """
    return Store(make_engine(url or default_url()))


def _now() -> datetime:
    return datetime.now(UTC)


class Store:
    """Frozen recommendations in one database. `now` can be replaced by tests."""

    def __init__(self, engine: Engine, now: Callable[[], datetime] = _now):
        self._engine = engine
        self._now = now
        sessions = Sessions(engine, sentence("Frozen recommendations"))
        self._working = sessions.working
        self.reading, self.writing = sessions.reading, sessions.writing

    @property
    def engine(self) -> Engine:
        return self._engine

    def close(self) -> None:
        """Give back all connections; the store connects again when it is used again."""
        self._engine.dispose()

    def check(self) -> None:
        """Connect, and migrate where needed; raises StoreUnavailable."""
        with self._working("used"), self._engine.connect():
            pass

    def freeze(
        self,
        query: str,
        result: Mapping[str, Any],
        owner: str,
        cover: Cover | None = None,
        expires_in_days: int | None = None,
        sharing: Sharing = BY_LINK,
    ) -> Snapshot:
        """Keep an answer under a new, unguessable id; it is on disk when this returns.

        What expired or was deleted more than 30 days ago is removed for good on this occasion.
        Raises InputError where something is too large or the owner has too many, StoreUnavailable.
        """
        if expires_in_days is not None and not 1 <= expires_in_days <= MOST_DAYS:
            raise InputError(
                "A frozen link can expire after 1 to {most_days:,} days, not after {expires_in_days}.",
                most_days=MOST_DAYS,
                expires_in_days=expires_in_days,
            )
        now = self._now()
        chosen = checked_cover(cover or Cover())
        row: dict[str, Any] = {
            "id": "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH)),
            "created_at": now,
            "expires_at": None if expires_in_days is None else now + timedelta(days=expires_in_days),
            "schema_version": SCHEMA_VERSION,
            "app_version": __version__,
            "data_release": data_release(),
            "query": checked_query(query),
            "result": result_text(result),
            "title": chosen.title,
            "note": chosen.note,
            "prepared_for": chosen.prepared_for,
            "company": chosen.company,
            "logo": None if chosen.logo is None else chosen.logo.data,
            "logo_kind": None if chosen.logo is None else chosen.logo.kind,
            "owner_hash": _hash(owner),
            "visibility": sharing.visibility,
            "maker": storable(sharing.maker),
        }
        row["sha256"] = fingerprint(row)
        with self._working("kept"), writing(self._engine) as connection:
            connection.execute(delete(snapshots).where(_long_gone(now)))
            own = select(func.count()).where(snapshots.c.owner_hash == row["owner_hash"], _not_revoked())
            if connection.execute(own).scalar_one() >= MOST_PER_OWNER:
                raise InputError(
                    "You have {most_per_owner} frozen links, the most there can be: delete some.",
                    most_per_owner=MOST_PER_OWNER,
                )
            most = environment().most_frozen
            if connection.execute(select(func.count()).where(_not_revoked())).scalar_one() >= most:
                raise InputError(
                    "{most:,} recommendations are frozen here, the most that are kept: whoever runs this server can "
                    "remove old ones, or allow more.",
                    most=most,
                )
            try:
                connection.execute(insert(snapshots).values(row))
            except IntegrityError:  # two equal ids: never in a lifetime, and then the second must not win
                raise StoreUnavailable("Freezing did not work this time: try again.") from None
        return _snapshot(row)

    def load(self, id: str, reader: Reader = ANYBODY) -> Snapshot:
        """Exactly what was frozen; raises SnapshotNotFound (unknown, expired, deleted) or StoreUnavailable.

        What the reader may not read is as unknown as what there never was.
        """
        row = self._find(id)
        if row is None or not reader.may_read(row.visibility, row.owner_hash):
            raise SnapshotNotFound("There is no frozen recommendation under this link: check that it is complete.")
        if row.revoked_at is not None:
            raise SnapshotNotFound("This frozen recommendation was deleted by its owner.")
        if row.expires_at is not None and row.expires_at <= self._now():
            raise SnapshotNotFound(
                "This frozen recommendation expired on {expires_at}.", expires_at=format(row.expires_at, "%Y-%m-%d")
            )
        values = dict(row._mapping)
        if fingerprint(values) != values["sha256"]:
            raise StoreUnavailable("This frozen recommendation was changed in the database and is not shown.")
        return _snapshot(values)

    def delete(self, id: str, owner: str) -> bool:
        """Delete one's own: its link stops working at once. False where there is none of this owner's."""
        with self._working("deleted"):
            own = (snapshots.c.id == id, snapshots.c.owner_hash == _hash(owner), _not_revoked())
            with writing(self._engine) as connection:
                # Its contents go at once; the row stays for a while so that the link can say what happened.
                done = connection.execute(update(snapshots).where(*own).values(revoked_at=self._now(), **EMPTIED))
                return bool(done.rowcount)

    def share(self, id: str, owner: str, visibility: Visibility) -> bool:
        """Say anew who may read one's own; False where there is none of this owner's."""
        with self._working("kept"), writing(self._engine) as connection:
            own = (snapshots.c.id == id, snapshots.c.owner_hash == _hash(owner), _not_revoked())
            return bool(connection.execute(update(snapshots).where(*own).values(visibility=visibility)).rowcount)

    def list_own(self, owner: str) -> tuple[Summary, ...]:
        """An owner's frozen recommendations that still work, newest first."""
        columns = [snapshots.c[name] for name in ("id", "title", "query", "created_at", "expires_at", "visibility")]
        alive = or_(snapshots.c.expires_at.is_(None), snapshots.c.expires_at > self._now())
        wanted = (
            select(*columns)
            .where(snapshots.c.owner_hash == _hash(owner), _not_revoked(), alive)
            .order_by(snapshots.c.created_at.desc(), snapshots.c.id)
            .limit(MOST_PER_OWNER)
        )
        with self._working("listed"), self._engine.connect() as connection:
            return tuple(Summary(**row._mapping) for row in connection.execute(wanted))

    def purge_expired(self) -> int:
        """Remove what expired or was deleted more than 30 days ago for good; how many that were."""
        with self._working("removed"), writing(self._engine) as connection:
            return int(connection.execute(delete(snapshots).where(_long_gone(self._now()))).rowcount)

    def _find(self, id: str) -> Row[Any] | None:
        if not (id.isascii() and id.isalnum() and len(id) <= 32):
            return None
        with self._working("read"), self._engine.connect() as connection:
            return connection.execute(select(snapshots).where(snapshots.c.id == id)).first()


def _long_gone(now: datetime) -> Any:
    before = now - timedelta(days=KEPT_DAYS)
    return or_(snapshots.c.expires_at <= before, snapshots.c.revoked_at <= before)


def _not_revoked() -> Any:
    return snapshots.c.revoked_at.is_(None)


def _hash(owner: str) -> str:
    if not 16 <= len(owner) <= 200:
        raise InputError("The owner's secret is missing or damaged: make a new one.")
    return hashlib.sha256(owner.encode("utf-8", "replace")).hexdigest()


def _snapshot(row: Mapping[str, Any]) -> Snapshot:
    logo = None if row["logo"] is None else Logo(bytes(row["logo"]), row["logo_kind"])
    return Snapshot(
        id=row["id"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        schema_version=row["schema_version"],
        app_version=row["app_version"],
        data_release=row["data_release"],
        query=row["query"],
        result=json.loads(row["result"]),
        cover=Cover(row["title"], row["company"], row["prepared_for"], row["note"], logo),
        sha256=row["sha256"],
    )
