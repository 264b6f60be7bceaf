"""Runs as rows of the database. The row is the truth; queues and workers only act on it.

Every change of state is one conditional UPDATE, and ages are told by the database's clock, so that any number of
servers and workers can share them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Engine, and_, delete, func, insert, or_, select, type_coerce, update

from advisor.foundation.errors import InputError
from advisor.foundation.message import sentence
from advisor.quantize.run_request import RunRequest, parse_request
from advisor.store.database import default_url, make_engine
from advisor.store.sessions import Sessions, owner_hash
from advisor.store.tables import UtcDateTime, runs

State = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED = ("done", "failed", "cancelled")
STALE_S = 20.0  # without a heartbeat for this long, a worker is taken for lost
MOST_ATTEMPTS = 5
MOST_OWN = 5  # of one owner that have not ended
_FIRST_GUESS, _FIRST_GUESS_S = 0.15, 3.0  # what it takes until the rest can be guessed: the model ran once


class RunLost(Exception):
    """Another worker has this run now, or somebody removed it."""


@dataclass(frozen=True, slots=True)
class Run:
    """A row. `progress` is 0..1 over the whole run, `message` how it ended; `result` what was measured by level.

    `started_at` is when the last attempt began; None where none did, or where an older version began it.
    """

    id: str
    created_at: datetime
    changed_at: datetime
    queue: str
    state: State
    request: RunRequest
    result: Mapping[str, Any]
    stage: str
    message: str
    progress: float
    attempt: int
    worker: str
    heartbeat_at: datetime | None
    cancel: bool
    started_at: datetime | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def elapsed_s(self) -> float | None:
        """Seconds that the last attempt took, or has been at work for when it was last heard of."""
        until = self.changed_at if self.ended else self.heartbeat_at
        return None if until is None or self.started_at is None else max(0.0, (until - self.started_at).total_seconds())

    @property
    def remaining_s(self) -> float | None:
        """About how many seconds it will go on, if it goes on as so far; None before that can be said.

        A second attempt finds finished steps and skips them: how fast it is says nothing.
        """
        elapsed = self.elapsed_s
        if self.state != "running" or self.attempt > 1 or elapsed is None:
            return None
        if elapsed < _FIRST_GUESS_S or self.progress < _FIRST_GUESS:
            return None
        return elapsed * (1 - self.progress) / self.progress


class Runs:
    """All runs in one database. Raises StoreUnavailable where that cannot be reached."""

    def __init__(self, engine: Engine):
        self._rows = Sessions(engine, sentence("Runs"))

    @classmethod
    def open(cls, url: str | None = None) -> Runs:
        return cls(make_engine(url or default_url()))

    def close(self) -> None:
        self._rows.close()

    def submit(self, request: RunRequest, owner: str, queue: str = "cpu", most_waiting: int = 20) -> str:
        """Put a checked request in the queue; its id."""
        id = secrets.token_hex(8)
        with self._rows.writing() as connection:
            waiting = select(func.count()).where(runs.c.state.in_(("queued", "running")))
            if connection.execute(waiting).scalar_one() >= most_waiting:
                raise InputError(
                    "{most_waiting} runs are waiting already; try again when some are through.",
                    most_waiting=most_waiting,
                )
            own = waiting.where(runs.c.owner_hash == owner_hash(owner))
            if connection.execute(own).scalar_one() >= MOST_OWN:
                raise InputError(
                    "{most_own} runs of yours are waiting already; try again when some are through.", most_own=MOST_OWN
                )
            now = _now(connection)
            connection.execute(
                insert(runs).values(
                    id=id, created_at=now, changed_at=now, queue=queue, state="queued",
                    request=request.model_dump_json(), result="{}", stage="", message="", progress=0.0, attempt=0,
                    worker="", heartbeat_at=None, cancel=False, owner_hash=owner_hash(owner),
                )
            )  # fmt: skip
        return id

    def get(self, id: str) -> Run | None:
        with self._rows.reading() as connection:
            row = connection.execute(select(runs).where(runs.c.id == id)).first()
        return None if row is None else _run(dict(row._mapping))

    def newest(self, limit: int = 50) -> tuple[Run, ...]:
        """All sessions' runs, newest first."""
        with self._rows.reading() as connection:
            rows = connection.execute(select(runs).order_by(runs.c.created_at.desc(), runs.c.id).limit(limit))
            return tuple(_run(dict(row._mapping)) for row in rows)

    def ended(self, ids: Iterable[str]) -> frozenset[str]:
        """Those of `ids` that are runs and have ended."""
        with self._rows.reading() as connection:
            over = select(runs.c.id).where(runs.c.id.in_(tuple(ids)), runs.c.state.in_(ENDED))
            return frozenset(connection.execute(over).scalars())

    def own_ids(self, owner: str) -> frozenset[str]:
        """The runs that `owner` may cancel or remove."""
        with self._rows.reading() as connection:
            return frozenset(
                connection.execute(select(runs.c.id).where(runs.c.owner_hash == owner_hash(owner))).scalars()
            )

    def cancel(self, id: str, owner: str) -> bool:
        """Ask for one's own run to stop: at once where it only waits. False where there is nothing to stop."""
        with self._rows.writing() as connection:
            own = and_(runs.c.id == id, runs.c.owner_hash == owner_hash(owner))
            now = _now(connection)
            waiting = update(runs).where(own, runs.c.state == "queued")
            if connection.execute(waiting.values(state="cancelled", cancel=True, changed_at=now)).rowcount:
                return True
            running = update(runs).where(own, runs.c.state == "running")
            return bool(connection.execute(running.values(cancel=True, changed_at=now)).rowcount)

    def remove(self, id: str, owner: str) -> bool:
        """Remove one's own ended run; its files are the worker's to clean."""
        with self._rows.writing() as connection:
            own = (runs.c.id == id, runs.c.owner_hash == owner_hash(owner), runs.c.state.in_(ENDED))
            return bool(connection.execute(delete(runs).where(*own)).rowcount)

    def waiting(self, queue: str) -> tuple[str, ...]:
        """Runs that some worker should take, oldest first: queued, or left behind by a lost worker."""
        with self._rows.reading() as connection:
            takable = _takable(_now(connection))
            found = select(runs.c.id).where(runs.c.queue == queue, takable).order_by(runs.c.created_at, runs.c.id)
            return tuple(connection.execute(found).scalars())

    def claim(self, id: str, worker: str) -> Run | None:
        """Take a run; None where somebody else has it or it has ended."""
        with self._rows.writing() as connection:
            now = _now(connection)
            free = and_(runs.c.id == id, _takable(now))
            # A lost worker's run that was to be cancelled, or that kills every worker, is not begun again.
            over = {"state": "cancelled", "message": "Cancelled.", "changed_at": now}
            connection.execute(update(runs).where(free, runs.c.cancel).values(over))
            given_up = f"It was begun {MOST_ATTEMPTS} times and its worker was lost each time; out of memory?"
            over = {"state": "failed", "message": given_up, "changed_at": now}
            connection.execute(update(runs).where(free, runs.c.attempt >= MOST_ATTEMPTS).values(over))
            taken = update(runs).where(free).values(
                state="running", worker=worker, attempt=runs.c.attempt + 1, heartbeat_at=now, changed_at=now,
                started_at=now,
            )  # fmt: skip
            if not connection.execute(taken).rowcount:
                return None
            row = connection.execute(select(runs).where(runs.c.id == id)).one()
        return _run(dict(row._mapping))

    def beat(self, run: Run, stage: str, progress: float) -> bool:
        """Say that the worker is alive and how far it is; whether the run is to be cancelled. Raises RunLost."""
        with self._rows.writing() as connection:
            values = {"heartbeat_at": _now(connection), "stage": stage[:200], "progress": min(1.0, max(0.0, progress))}
            if not connection.execute(update(runs).where(*_held(run)).values(values)).rowcount:
                raise RunLost
            return bool(connection.execute(select(runs.c.cancel).where(runs.c.id == run.id)).scalar())

    def keep_result(self, run: Run, result: Mapping[str, Any]) -> None:
        """What is known so far; raises RunLost."""
        with self._rows.writing() as connection:
            values = {"result": json.dumps(result), "heartbeat_at": _now(connection)}
            if not connection.execute(update(runs).where(*_held(run)).values(values)).rowcount:
                raise RunLost

    def end(self, run: Run, state: State, message: str = "") -> None:
        """The last word of a worker that still holds the run; raises RunLost."""
        with self._rows.writing() as connection:
            values = {"state": state, "message": message[:1000], "changed_at": _now(connection)}
            if state == "done":
                values["progress"] = 1.0
            if not connection.execute(update(runs).where(*_held(run)).values(values)).rowcount:
                raise RunLost

    def give_back(self, run: Run) -> None:
        """A worker that was told to stop returns its run to the queue; another attempt is not counted."""
        with self._rows.writing() as connection:
            values = {"state": "queued", "attempt": runs.c.attempt - 1, "changed_at": _now(connection)}
            connection.execute(update(runs).where(*_held(run)).values(values))


def _now(connection: Connection) -> datetime:
    """By the database's clock; SQLite's own `now` knows no fractions."""
    sqlite = connection.dialect.name == "sqlite"
    clock: Any = func.strftime("%Y-%m-%d %H:%M:%f000", "now") if sqlite else func.now()
    found: datetime = connection.execute(select(type_coerce(clock, UtcDateTime))).scalar_one()
    return found


def _takable(now: datetime) -> Any:
    lost = and_(runs.c.state == "running", runs.c.heartbeat_at < now - timedelta(seconds=STALE_S))
    return or_(runs.c.state == "queued", lost)


def _held(run: Run) -> tuple[Any, ...]:
    return (runs.c.id == run.id, runs.c.state == "running", runs.c.worker == run.worker, runs.c.attempt == run.attempt)


def _run(row: Mapping[str, Any]) -> Run:
    fields = {key: value for key, value in row.items() if key != "owner_hash"}
    return Run(**{**fields, "request": parse_request(row["request"]), "result": json.loads(row["result"])})
