"""Measurements that somebody kept, as rows of the database: everybody who uses this server sees them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import ValidationError
from sqlalchemy import Engine, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from advisor.foundation.errors import InputError
from advisor.foundation.message import sentence
from advisor.sources.local_measurements import LocalMeasurement
from advisor.store.database import default_url, make_engine
from advisor.store.errors import StoreUnavailable
from advisor.store.sessions import Sessions, owner_hash
from advisor.store.tables import measurements

MOST_KEPT = 2000


class Measurements:
    """All kept measurements in one database. Raises StoreUnavailable where that cannot be reached."""

    def __init__(self, engine: Engine):
        self._rows = Sessions(engine, sentence("Measurements"))

    @classmethod
    def open(cls, url: str | None = None) -> Measurements:
        return cls(make_engine(url or default_url()))

    def close(self) -> None:
        self._rows.close()

    def keep(self, found: Sequence[LocalMeasurement], owner: str) -> int:
        """Keep what is not kept yet (by run and level); how many that were."""
        with self._rows.writing() as connection:
            kept = connection.execute(select(func.count()).select_from(measurements)).scalar_one()
            if kept + len(found) > MOST_KEPT:
                raise InputError(
                    "{kept:,} of at most {most_kept:,} measurements are kept: forget some.",
                    kept=kept,
                    most_kept=MOST_KEPT,
                )
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            new = 0
            for row in found:
                values = {
                    "run_id": row.run, "level": row.level, "kept_at": datetime.now(UTC),
                    "measurement": row.model_dump_json(), "owner_hash": owner_hash(owner),
                }  # fmt: skip
                # Two visitors may press the button at once.
                wanted = dialect.insert(measurements).values(values).on_conflict_do_nothing()
                new += len(connection.execute(wanted.returning(measurements.c.level)).all())
        return new

    def forget(self, run: str, owner: str) -> int:
        """Forget what `owner` kept of a run; how many rows that were."""
        with self._rows.writing() as connection:
            own = (measurements.c.run_id == run, measurements.c.owner_hash == owner_hash(owner))
            return int(connection.execute(delete(measurements).where(*own)).rowcount)

    def all(self) -> tuple[LocalMeasurement, ...]:
        """Everybody's, the last kept first."""
        wanted = select(measurements.c.measurement).order_by(
            measurements.c.kept_at.desc(), measurements.c.run_id, measurements.c.level
        )
        with self._rows.reading() as connection:
            found = connection.execute(wanted).scalars().all()
        try:
            return tuple(LocalMeasurement.model_validate_json(text) for text in found)
        except ValidationError:
            raise StoreUnavailable(
                "Kept measurements cannot be read: another version of the advisor wrote them."
            ) from None

    def own_runs(self, owner: str) -> frozenset[str]:
        """The runs of which `owner` may forget what was kept."""
        own = select(measurements.c.run_id).where(measurements.c.owner_hash == owner_hash(owner)).distinct()
        with self._rows.reading() as connection:
            return frozenset(connection.execute(own).scalars())
