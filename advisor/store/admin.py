"""What the operator does with what is kept: look, revoke, remove, copy all of it to a file and back.

A backup is one gzip file of JSON lines, a row each, and goes into a database of either kind.
"""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, DateTime, LargeBinary, Row, Table, delete, func, insert, or_, select, update

from advisor.foundation.environment import QUOTAS, environment
from advisor.foundation.errors import InputError
from advisor.store.migrate import NEWEST
from advisor.store.store import EMPTIED, MOST_PER_OWNER, Store
from advisor.store.tables import KEPT, UtcDateTime, runs, snapshots

_FORMAT = "llm-fit-advisor-backup"
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """A frozen recommendation as its operator sees it: whose and how large, not what it says.

    `owner` is the beginning of a hash, `maker` who was logged in, "" where nobody was; `bytes` is of its result and
    logo.
    """

    id: str
    owner: str
    maker: str
    visibility: str
    created_at: datetime
    expires_at: datetime | None
    bytes: int


def listed(store: Store, limit: int = 100) -> tuple[Kept, ...]:
    """Those that work, newest first; raises StoreUnavailable."""
    columns = [snapshots.c[name] for name in ("id", "owner_hash", "maker", "visibility", "created_at", "expires_at")]
    wanted = select(*columns, _size().label("size")).where(_alive()).order_by(snapshots.c.created_at.desc())
    with store.reading() as connection:
        return tuple(
            Kept(
                id=row.id,
                owner=row.owner_hash[:12],
                maker=row.maker,
                visibility=row.visibility,
                created_at=row.created_at,
                expires_at=row.expires_at,
                bytes=int(row.size),
            )
            for row in connection.execute(wanted.limit(limit))
        )


def revoke(store: Store, id: str) -> bool:
    """Have a link stop working, whoever froze it; False where there is none. Its contents go at once."""
    with store.writing() as connection:
        alive = (snapshots.c.id == id, snapshots.c.revoked_at.is_(None))
        done = connection.execute(update(snapshots).where(*alive).values(revoked_at=datetime.now(UTC), **EMPTIED))
        return bool(done.rowcount)


def purge(store: Store, older_than_days: int | None = None) -> int:
    """Remove for good what expired or was deleted, and what is older than so many days; how many that were."""
    now = datetime.now(UTC)
    gone = or_(snapshots.c.expires_at <= now, snapshots.c.revoked_at.is_not(None))
    if older_than_days is not None:
        gone = or_(gone, snapshots.c.created_at <= now - timedelta(days=older_than_days))
    with store.writing() as connection:
        return int(connection.execute(delete(snapshots).where(gone)).rowcount)


def usage(store: Store, most: int = 10) -> dict[str, Any]:
    """What may be kept and had, and who keeps the most."""
    size = func.coalesce(func.sum(_size()), 0)
    by_owner = (
        select(snapshots.c.owner_hash, func.count().label("number"), size.label("size"))
        .where(_alive())
        .group_by(snapshots.c.owner_hash)
        .order_by(func.count().desc(), snapshots.c.owner_hash)
        .limit(most)
    )
    with store.reading() as connection:
        number, total = connection.execute(select(func.count(), size).where(_alive())).one()
        owners = [
            {"owner": row.owner_hash[:12], "frozen": row.number, "bytes": int(row.size)}
            for row in connection.execute(by_owner)
        ]
    allowed = environment()
    return {
        "frozen": number,
        "frozen_bytes": int(total),
        "most_frozen": allowed.most_frozen,
        "most_frozen_of_an_owner": MOST_PER_OWNER,
        "an_hour_of_a_user": {name: allowed.quotas[name] for name in QUOTAS},
        "largest_owners": owners,
    }


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who froze something that works, or had a run. `name` is the beginning of a hash where nobody logs in."""

    name: str
    frozen: int
    bytes: int
    runs: int
    last: datetime


def users(store: Store) -> tuple[User, ...]:
    """Everybody of whom anything is kept, who was here last first; raises StoreUnavailable."""
    size = func.coalesce(func.sum(_size()), 0).label("size")
    parts = func.count().label("number"), func.max(snapshots.c.maker).label("maker")
    frozen = select(snapshots.c.owner_hash, *parts, size, func.max(snapshots.c.created_at).label("last"))
    frozen = frozen.where(_alive()).group_by(snapshots.c.owner_hash)
    had = select(runs.c.owner_hash, func.count().label("number"), func.max(runs.c.created_at).label("last"))
    with store.reading() as connection:
        froze = {row.owner_hash: row for row in connection.execute(frozen)}
        ran = {row.owner_hash: row for row in connection.execute(had.group_by(runs.c.owner_hash))}
    found = []
    for owner in froze.keys() | ran.keys():
        kept, run = froze.get(owner), ran.get(owner)
        found.append(
            User(
                name=(kept.maker if kept is not None else "") or owner[:12],
                frozen=0 if kept is None else kept.number,
                bytes=0 if kept is None else int(kept.size),
                runs=0 if run is None else run.number,
                last=max(row.last for row in (kept, run) if row is not None),
            )
        )
    return tuple(sorted(found, key=lambda user: (user.last, user.name), reverse=True))


def back_up(store: Store, path: Path) -> int:
    """Write all that is kept, as it is at one moment; how many rows. Raises InputError where there is a file."""
    try:
        with path.open("xb") as raw, gzip.open(raw, "wt", encoding="utf-8") as file, store.reading() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            _line(file, {"format": _FORMAT, "schema": NEWEST})
            written = 0
            for table in KEPT:
                for row in connection.execution_options(yield_per=_AT_ONCE).execute(select(table)):
                    _line(file, {"table": table.name, "row": _as_json(table, row)})
                    written += 1
            _line(file, {"rows": written})
        path.chmod(0o600)
    except FileExistsError:
        raise InputError("There is a file {name} already; choose another name.", name=path.name) from None
    except OSError as error:
        raise InputError("{name} cannot be written: {why}.", name=path.name, why=error.strerror or "") from None
    return written


def restore(store: Store, path: Path) -> int:
    """Put all rows of a backup into an empty database, all or none; how many. Raises InputError."""
    tables = {table.name: table for table in KEPT}
    with store.writing() as connection:
        if any(connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables.values()):
            raise InputError("The database holds something already: a backup goes into an empty one only.")
        restored, told = 0, None
        for line in _lines(path):
            if "rows" in line:
                told = line["rows"]
            elif (table := tables.get(line.get("table", ""))) is not None:
                _insert(connection, table, line["row"])
                restored += 1
        if told != restored:
            raise InputError("{name} is cut off: nothing was restored.", name=path.name)
    return restored


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            first = json.loads(file.readline())
            if first.get("format") != _FORMAT:
                raise ValueError
            if first["schema"] > NEWEST:
                raise InputError("{name} was written by a newer version: update this program first.", name=path.name)
            for line in file:
                yield json.loads(line)
    except FileNotFoundError:
        raise InputError("There is no file {name}.", name=path.name) from None
    except (OSError, EOFError, zlib.error, ValueError, KeyError, AttributeError):
        raise InputError("{name} is no backup of this program, or it is damaged.", name=path.name) from None


def _line(file: IO[str], found: dict[str, Any]) -> None:
    file.write(json.dumps(found, separators=(",", ":")) + "\n")


def _as_json(table: Table, row: Row[Any]) -> dict[str, Any]:
    found = dict(row._mapping)
    for column in table.columns:
        value = found[column.name]
        if isinstance(value, datetime):
            found[column.name] = value.isoformat()
        elif isinstance(value, bytes | memoryview):
            found[column.name] = b64encode(bytes(value)).decode()
    return found


def _insert(connection: Connection, table: Table, row: dict[str, Any]) -> None:
    for column in table.columns:
        value = row.get(column.name)
        if value is None:
            continue
        if isinstance(column.type, UtcDateTime | DateTime):
            row[column.name] = datetime.fromisoformat(value)
        elif isinstance(column.type, LargeBinary):
            row[column.name] = b64decode(value)
    # What a backup of an older schema does not know is as a migration would have it.
    connection.execute(insert(table).values({name: row[name] for name in table.columns.keys() & row.keys()}))


def _alive() -> Any:
    expired = snapshots.c.expires_at <= datetime.now(UTC)
    return snapshots.c.revoked_at.is_(None) & or_(snapshots.c.expires_at.is_(None), ~expired)


def _size() -> Any:
    return func.length(snapshots.c.result) + func.coalesce(func.length(snapshots.c.logo), 0)
