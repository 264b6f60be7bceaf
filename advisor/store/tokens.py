"""Tokens by which programs ask where people log in. Only the hash of one is kept: it is shown once.

A token is 256 random bits, so that its hash needs no salt.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, func, insert, select, update

from advisor.foundation.errors import InputError
from advisor.foundation.message import sentence
from advisor.store.database import default_url, make_engine
from advisor.store.sessions import Sessions
from advisor.store.tables import tokens

PREFIX = "lfa_"
MOST_DAYS = 366
_MOST = 10_000
_SHOWN = (tokens.c.id, tokens.c.email, tokens.c.created_at, tokens.c.expires_at)
_KEPT_DAYS = 30  # after it ended
_TOKEN = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_EMAIL = re.compile(r"[^\s@]{1,200}@[^\s@]{1,119}")


@dataclass(frozen=True, slots=True)
class Token:
    """One that was made. `id` names it without being it."""

    id: str
    email: str
    created_at: datetime
    expires_at: datetime


class Tokens:
    """All tokens in one database. Raises StoreUnavailable where that cannot be reached."""

    def __init__(self, engine: Engine):
        self._rows = Sessions(engine, sentence("Tokens"))

    @classmethod
    def open(cls, url: str | None = None) -> Tokens:
        return cls(make_engine(url or default_url()))

    def close(self) -> None:
        self._rows.close()

    def make(self, email: str, days: int) -> tuple[str, Token]:
        """A new one for whoever has this address, and what is kept of it; raises InputError."""
        if not _EMAIL.fullmatch(email):
            raise InputError("{email} is no address of somebody.", email=email[:80])
        if not 1 <= days <= MOST_DAYS:
            raise InputError("A token works for 1 to {most} days.", most=MOST_DAYS)
        secret, now = PREFIX + secrets.token_urlsafe(32), datetime.now(UTC)
        made = Token(secrets.token_hex(6), email, now, now + timedelta(days=days))
        with self._rows.writing() as connection:
            connection.execute(delete(tokens).where(tokens.c.expires_at <= now - timedelta(days=_KEPT_DAYS)))
            if connection.execute(select(func.count()).select_from(tokens)).scalar_one() >= _MOST:
                raise InputError("There are {most:,} tokens, the most there can be: revoke some.", most=_MOST)
            connection.execute(
                insert(tokens).values(
                    id=made.id, hash=_hash(secret), email=email, created_at=now, expires_at=made.expires_at
                )
            )
        return secret, made

    def whose(self, secret: str) -> Token | None:
        """The token that this is; None where it is none that works."""
        if not _TOKEN.fullmatch(secret):
            return None
        wanted = select(*_SHOWN).where(tokens.c.hash == _hash(secret))
        with self._rows.reading() as connection:
            row = connection.execute(wanted.where(tokens.c.expires_at > datetime.now(UTC))).first()
        return None if row is None else Token(**row._mapping)

    def listed(self) -> tuple[Token, ...]:
        """Those that work, newest first."""
        wanted = select(*_SHOWN).where(tokens.c.expires_at > datetime.now(UTC)).order_by(tokens.c.created_at.desc())
        with self._rows.reading() as connection:
            return tuple(Token(**row._mapping) for row in connection.execute(wanted))

    def revoke(self, id: str) -> bool:
        """Have one stop working at once; False where none of this name works."""
        now = datetime.now(UTC)
        alive = (tokens.c.id == id, tokens.c.expires_at > now)
        with self._rows.writing() as connection:
            return bool(connection.execute(update(tokens).where(*alive).values(expires_at=now)).rowcount)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
