"""Patterns by which configs name modules: exact names, globs, and regular expressions after `re:`.

They come from outside, so none may take long: an expression is cut at its `.*` and its pieces are looked for one after
the other, each of them without a repetition that could be tried in many ways.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

_LONGEST = 200
_ANYTHING = re.compile(r"\.\*\??")
# `*` anywhere, and a repetition of a group; `+` may only follow a class, `?` and `{n}` anything that is no group.
_REPEATED_AT_WILL = re.compile(r"(?<!\\)\*|(?<!\\)\)[+{*]|(?<!\\d)(?<!\])(?<!\\w)(?<!\\)\+|\{\d*,")


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Expressions found one after the other; the first at the beginning unless `loose`."""

    pieces: tuple[re.Pattern[str], ...]
    loose: bool

    def matches(self, name: str) -> bool:
        place = 0
        for number, piece in enumerate(self.pieces):
            found = piece.search(name, place) if number or self.loose else piece.match(name)
            if found is None:
                return False
            place = found.end()
        return True


def is_understood(pattern: str) -> bool:
    """Whether a pattern can be looked for at all."""
    return len(pattern) <= _LONGEST and (not pattern.startswith("re:") or _pieces(pattern[3:]) is not None)


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern that is understood means a module: by its expression, by its glob, or as it is written."""
    if pattern.startswith("re:"):
        pieces = _pieces(pattern[3:])
        return pieces is not None and pieces.matches(name)
    if "*" in pattern:
        return _glob(pattern).matches(name)
    return pattern == name


@cache
def _glob(pattern: str) -> _Pieces:
    parts = tuple(re.compile(re.escape(part)) for part in pattern.split("*") if part)
    ends = not pattern.endswith("*") and parts
    last = (re.compile(parts[-1].pattern + r"\Z"),) if ends else parts[-1:]
    return _Pieces((*parts[:-1], *last), pattern.startswith("*"))


@cache
def _pieces(expression: str) -> _Pieces | None:
    parts = [part for part in _ANYTHING.split(expression) if part]
    if any(_REPEATED_AT_WILL.search(part) for part in parts):
        return None
    try:
        return _Pieces(tuple(re.compile(part) for part in parts), bool(_ANYTHING.match(expression)))
    except re.error:
        return None
