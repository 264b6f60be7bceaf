"""Write data/fonts/coverage.csv from the fonts, after one was exchanged: `python -m tests.benchmarks.font_coverage`."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from fontTools.ttLib import TTFont

from advisor.report.glyphs import COVERAGE, FONTS

TEXT_FONTS = ("SourceSans3VF.ttf", "DroidSansFallback.ttf")


def signs(font: Path) -> Iterator[int]:
    """What a font draws; PDF/A wants no private code points, and what only steers other signs is never drawn."""
    for point in sorted(TTFont(font).getBestCmap()):
        if unicodedata.category(chr(point)) not in ("Cc", "Cf", "Cs", "Co", "Cn"):
            yield point


def ranges(font: Path) -> Iterator[tuple[int, int]]:
    first = last = -2
    for point in signs(font):
        if point != last + 1:
            if last >= 0:
                yield first, last
            first = point
        last = point
    yield first, last


def rows() -> list[tuple[str, str, str]]:
    return [(name, f"{first:04X}", f"{last:04X}") for name in TEXT_FONTS for first, last in ranges(FONTS / name)]


if __name__ == "__main__":
    with COVERAGE.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("font", "first", "last"))
        writer.writerows(rows())
