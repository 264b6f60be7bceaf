"""Fetching a price feed: over http, at most so many bytes, in at most so much time."""

from __future__ import annotations

import io
import json
import ssl
import time
import zipfile
from functools import cache
from typing import Any

import httpx2

from advisor.foundation.errors import AdvisorError

_TIMEOUT_S = 20.0
_PATIENCE_S = 300.0  # for one file, however slowly it drips in
_LARGEST_BYTES = 64 * 1024**2
_LARGEST_UNPACKED_BYTES = 256 * 1024**2


class FeedError(AdvisorError):
    """A feed cannot be used: it does not answer, is too large, or has not the expected shape."""


def fetch(name: str, url: str) -> bytes:
    """The file at `url`; raises FeedError in one sentence that begins with the feed's `name`."""
    deadline = time.monotonic() + _PATIENCE_S
    pieces = bytearray()
    try:
        with httpx2.stream("GET", url, timeout=_TIMEOUT_S, follow_redirects=True, verify=_tls()) as response:
            if response.status_code != 200:
                raise FeedError(
                    "{name}: the server answers with {status_code}.", name=name, status_code=response.status_code
                )
            for piece in response.iter_bytes(1 << 16):
                pieces += piece
                if len(pieces) > _LARGEST_BYTES:
                    raise FeedError(
                        "{name}: more than {largest_bytes} MiB, which is not expected.",
                        name=name,
                        largest_bytes=_LARGEST_BYTES >> 20,
                    )
                if time.monotonic() > deadline:
                    raise FeedError("{name}: the server is too slow.", name=name)
    except httpx2.TimeoutException:
        raise FeedError(
            "{name}: the server does not answer in {timeout_s:.0f} s.", name=name, timeout_s=_TIMEOUT_S
        ) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError):
        raise FeedError("{name}: the server cannot be reached.", name=name) from None
    return bytes(pieces)


@cache
def _tls() -> ssl.SSLContext:
    # Loading the certificates takes longer than most of the downloads: once for all feeds.
    return httpx2.create_ssl_context()


def as_text(name: str, data: bytes) -> str:
    """A file as text; raises FeedError if it is none."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FeedError("{name}: the file is not text in UTF-8.", name=name) from None


def as_json(name: str, data: bytes) -> dict[str, Any]:
    """A JSON object; raises FeedError if it is none."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise FeedError("{name}: the file is not JSON.", name=name) from None
    if not isinstance(found, dict):
        raise FeedError("{name}: the file is no JSON object.", name=name)
    return found


def unzipped(name: str, data: bytes, member: str) -> bytes:
    """One file of a zip archive; raises FeedError if it is not there or too large."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(member) as file:
            unpacked = file.read(_LARGEST_UNPACKED_BYTES + 1)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, OSError, EOFError):
        raise FeedError("{name}: the archive does not hold a readable {member}.", name=name, member=member) from None
    if len(unpacked) > _LARGEST_UNPACKED_BYTES:
        raise FeedError(
            "{name}: {member} is larger than {largest_unpacked_bytes} MiB, which is not expected.",
            name=name,
            member=member,
            largest_unpacked_bytes=_LARGEST_UNPACKED_BYTES >> 20,
        )
    return unpacked
