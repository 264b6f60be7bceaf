"""Which signs the report's own fonts can draw; the others become a visible box, so that a report never fails on a name.

`data/fonts/coverage.csv` holds the fonts' character tables as ranges, so that no font has to be opened for it.
"""

from __future__ import annotations

import csv
import unicodedata
from bisect import bisect_right
from functools import lru_cache
from typing import Any

from advisor.foundation.errors import DataError
from advisor.foundation.places import data_folder

FONTS = data_folder() / "fonts"
COVERAGE = FONTS / "coverage.csv"
TEXT_FONT = "SourceSans3VF.ttf"
BOX = "\u25a1"


@lru_cache(maxsize=1)
def coverage() -> dict[str, tuple[list[int], list[int]]]:
    """Per font file: first and last code points of the ranges it covers, in order."""
    covered: dict[str, tuple[list[int], list[int]]] = {}
    with COVERAGE.open(encoding="ascii", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                first, last = int(row["first"], 16), int(row["last"], 16)
            except (KeyError, TypeError, ValueError):
                raise DataError(
                    "data/fonts/coverage.csv, row {number}: first and last must be hex numbers.", number=number
                ) from None
            firsts, lasts = covered.setdefault(row["font"], ([], []))
            firsts.append(first)
            lasts.append(last)
    return covered


def _has(font: str, sign: str) -> bool:
    firsts, lasts = coverage()[font]
    place = bisect_right(firsts, ord(sign)) - 1
    return place >= 0 and ord(sign) <= lasts[place]


def drawable(text: str, fonts: tuple[str, ...] | None = None) -> str:
    """`text` with a box for each sign that none of `fonts` (all text fonts by default) can draw.

    A letter and its accents must come from one font. Signs that only steer others (joiners, direction marks,
    variation selectors, controls) are left out; line breaks become spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    chosen = fonts or tuple(coverage())
    clusters: list[str] = []
    for sign in unicodedata.normalize("NFC", text):
        category = unicodedata.category(sign)
        if category in ("Zs", "Zl", "Zp") or sign in "\t\n\r\v\f":
            # A no-break space keeps numbers and their units on one line.
            clusters.append(sign if sign == "\u00a0" else " ")
        elif category in ("Cf", "Cc", "Cs") or 0xFE00 <= ord(sign) <= 0xFE0F or 0xE0100 <= ord(sign) <= 0xE01EF:
            continue
        elif category.startswith("M") and clusters and clusters[-1] != " ":
            clusters[-1] += sign
        else:
            clusters.append(sign)
    return "".join(_drawn(cluster, chosen) for cluster in clusters)


def _drawn(cluster: str, fonts: tuple[str, ...]) -> str:
    if cluster in (" ", "\u00a0") or any(all(_has(font, sign) for sign in cluster) for font in fonts):
        return cluster
    return BOX


def drawable_all(value: Any, fonts: tuple[str, ...] | None = None) -> Any:
    """`drawable` for every text within lists and dicts."""
    if isinstance(value, str):
        return drawable(value, fonts)
    if isinstance(value, dict):
        return {key: drawable_all(item, fonts) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [drawable_all(item, fonts) for item in value]
    return value
