"""A frozen recommendation: what was asked, what came out, and with which data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from advisor.foundation.errors import InputError, printable
from advisor.report.document import Cover
from advisor.report.logo import LOGO_BYTES
from advisor.store.sharing import Visibility

SCHEMA_VERSION = 1  # of what `result` holds; raise it when that changes
RESULT_BYTES = 2 * 1024 * 1024
QUERY_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Summary:
    """A line in the list of one's own frozen recommendations."""

    id: str
    title: str
    query: str
    created_at: datetime
    expires_at: datetime | None
    visibility: Visibility = "link"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Exactly what was stored. `result` is JSON: numbers come back to the digit."""

    id: str
    created_at: datetime
    expires_at: datetime | None
    schema_version: int
    app_version: str
    data_release: str
    query: str
    result: Mapping[str, Any]
    cover: Cover
    sha256: str


def result_text(result: Mapping[str, Any]) -> str:
    """`result` as JSON in a fixed order; raises InputError where it is too large or no JSON."""
    try:
        text = json.dumps(result, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise InputError("This answer cannot be frozen: it holds something that is no JSON.") from None
    if len(text) > RESULT_BYTES:
        raise InputError(
            "This answer has {count:,} bytes; at most {result_bytes:,} can be frozen.",
            count=len(text),
            result_bytes=RESULT_BYTES,
        )
    return text


def checked_query(query: str) -> str:
    if len(query) > QUERY_CHARACTERS:
        raise InputError(
            "The query is {count:,} characters long; at most {query_characters:,} are kept.",
            count=len(query),
            query_characters=QUERY_CHARACTERS,
        )
    return storable(query)


def checked_cover(cover: Cover) -> Cover:
    """The cover with nothing that a database cannot hold."""
    if cover.logo is not None and len(cover.logo.data) > LOGO_BYTES:
        raise InputError(
            "The logo has {count:,} bytes; at most {logo_bytes:,} are kept.",
            count=len(cover.logo.data),
            logo_bytes=LOGO_BYTES,
        )
    return Cover(
        title=storable(cover.title),
        company=storable(cover.company),
        prepared_for=storable(cover.prepared_for),
        note="\n".join(storable(line) for line in cover.note.splitlines()),
        logo=cover.logo,
    )


def storable(text: str) -> str:
    """One line without control characters or halves of characters, which PostgreSQL refuses."""
    return printable(text.encode("utf-8", "replace").decode("utf-8"))


def fingerprint(row: Mapping[str, Any]) -> str:
    """SHA-256 over everything that a frozen recommendation shows."""
    total = hashlib.sha256()
    for part in (
        row["id"],
        row["created_at"].isoformat(),
        str(row["schema_version"]),
        *(row[name] for name in ("app_version", "data_release", "query", "result")),
        *(row[name] for name in ("title", "note", "prepared_for", "company")),
        row["logo_kind"] or "",
        row["logo"] or b"",
    ):
        content = part if isinstance(part, bytes) else part.encode()
        total.update(len(content).to_bytes(8, "big") + content)
    return total.hexdigest()
