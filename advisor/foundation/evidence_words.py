"""How much evidence there is, in words: a table of one author is one source, however many rows it has."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from advisor.foundation.message import Message, fact

# Hosts whose files belong to an owner named first in the path; what many people write (issues, pull requests,
# discussions, files that a community hands in) is a source by its page instead.
_BY_OWNER = {"github.com": 2, "raw.githubusercontent.com": 2, "gist.github.com": 1, "huggingface.co": 1}
_PAGES = {"issues", "pull", "discussions", "community"}


@lru_cache(maxsize=8192)
def origin(url: str) -> str:
    """Whose evidence an address is: two files of one repository are one source, two issues are two."""
    parts = urlsplit(url)
    path = [part for part in parts.path.split("/") if part]
    kept = _BY_OWNER.get(parts.netloc)
    if kept is None or _PAGES & set(path):
        return f"{parts.netloc}/{'/'.join(path)}"
    return f"{parts.netloc}/{'/'.join(path[:kept])}"


def independent(urls: Iterable[str]) -> int:
    """How many sources the addresses are of."""
    return len({origin(url) for url in urls})


def counted(n: int, sources: int) -> Message:
    """So many measurements of so many sources; of one measurement, that it is one."""
    if sources == 1 or n == 1:
        return fact("measurements_of_one_source", n=n)
    return fact("measurements", n=n, sources=sources)
