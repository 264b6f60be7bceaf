"""GGUF files that were cut into pieces with `split` rather than into parts that are files of their own.

Only the first piece has a header. Names as publishers give them: `x.gguf.part1of2`, `x.gguf-split-a`.
"""

from __future__ import annotations

import re

_PIECE = re.compile(
    r"(?P<whole>.+\.gguf)(?:\.part(?P<number>\d{1,3})of\d{1,3}|[-.]split-(?P<letters>[a-z]{1,2}))", re.I
)


def is_gguf_name(name: str) -> bool:
    """Whether a file is a GGUF file, or a piece of one, as far as its name tells."""
    return name.lower().endswith(".gguf") or piece_of(name) is not None


def piece_of(name: str) -> tuple[str, int] | None:
    """The name of the whole file and which of its pieces this is, from 1; None for a file that is no piece."""
    found = _PIECE.fullmatch(name)
    if found is None:
        return None
    if found["number"]:
        return found["whole"], int(found["number"])
    return found["whole"], ord(found["letters"].lower()[-1]) - ord("a") + 1
