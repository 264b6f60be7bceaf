"""Files that were published, of the catalogue's shapes, and where the rule says that such files lie."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from advisor.formats.gguf_levels import LEVELS
from advisor.formats.published_spread import TOLERANCE, published_spread
from advisor.models.catalogue import catalogue
from advisor.sources.published_sizes import has_own_mixes

FILES = Path(__file__).resolve().parents[1] / "truth" / "published_sizes.csv"


@dataclass(frozen=True, slots=True)
class Held:
    """A published file: its bytes, exact or `within` so many, and the ends of the range, all in bytes."""

    publisher: str
    shape: str
    level: str
    bytes: int
    within: int
    low: int
    high: int

    @property
    def inside(self) -> bool:
        """Whether the range holds it, as far as its source's rounding can tell."""
        return self.low - self.within <= self.bytes <= self.high + self.within

    @property
    def width(self) -> float:
        """Of the range, as a share of its middle."""
        return 2 * (self.high - self.low) / (self.high + self.low)


def held_files(tolerance: float = TOLERANCE) -> Iterator[Held]:
    """Every file of the table with its range."""
    with FILES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            entry = catalogue()[row["shape"]]
            spread = published_spread(entry.model, LEVELS[row["level"]], has_own_mixes(entry), tolerance)
            size, within = int(row["bytes"]), int(row["within"])
            yield Held(row["publisher"], entry.id, row["level"], size, within, spread.low, spread.high)
