"""What can go wrong with the store, told without its address, which may hold a password."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from advisor.foundation.errors import AdvisorError, InputError
from advisor.foundation.message import Message, sentence

_GO_ON = sentence("everything else works without it.")
# PostgreSQL's five-letter codes; two letters stand for a class.
_POSTGRESQL_REASONS = {
    "53100": sentence("its disk is full"),
    "53": sentence("the database server has no room for another request"),
    "25006": sentence("it can only be read"),
    "28": sentence("the database server refuses the user or the password"),
    "3D000": sentence("there is no such database"),
    "42501": sentence("the database user lacks a permission"),
    "55P03": sentence("it is busy"),
    "57014": sentence("it is busy"),
}


class StoreUnavailable(AdvisorError):
    """Frozen recommendations cannot be kept or read just now; everything else goes on."""


class SnapshotNotFound(InputError):
    """No frozen recommendation under this link (any more)."""


@contextmanager
def translated(doing: str, what: Message) -> Iterator[None]:
    """Tell a database's failure in one sentence: "Frozen recommendations cannot be {doing} now: its disk is full"."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = _reason(error)
        raise StoreUnavailable(
            "{what} cannot be {doing} now: {reason}; {go_on}", what=what, doing=doing, reason=reason, go_on=_GO_ON
        ) from None


def _reason(error: Exception) -> Message:
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _sqlite_reason(cause)
    code = getattr(cause, "sqlstate", None) or ""
    for known in (code, code[:2]):
        if known in _POSTGRESQL_REASONS:
            return _POSTGRESQL_REASONS[known]
    if isinstance(cause, OSError):
        return sentence("its folder cannot be used")
    return sentence("the database cannot be reached")


def _sqlite_reason(error: sqlite3.Error) -> Message:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_READONLY"):
        return sentence("the database file or its folder is read-only")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return sentence("the disk is full or broken")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return sentence("the database is busy")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return sentence("the database file is damaged")
    return sentence("the database file cannot be opened or written")
