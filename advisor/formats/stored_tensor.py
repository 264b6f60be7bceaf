"""A tensor as a file holds it, whatever wrote the file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor as a file stores it: its row comes first in `shape`; `block` is how many elements its type packs."""

    name: str
    shape: tuple[int, ...]
    bytes: int
    block: int
