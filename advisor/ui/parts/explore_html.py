"""Cells of the tables that a whole catalogue stands in."""

from __future__ import annotations

from html import escape

from advisor.foundation.numbers import rough, span
from advisor.foundation.ranges import Range
from advisor.ui.parts.rows import Cell

NOTHING = Cell('<span class="small">–</span>', is_number=True)


def skippable(table: str, end: str) -> str:
    """A table full of links that the keyboard can jump over; `end` is the id of the place after it."""
    return f'<a class="skip" href="#{end}">Skip the table</a>{table}<span id="{end}"></span>'


def small(text: str) -> str:
    """A quieter line below what it explains, as HTML."""
    return f'<span class="small">{escape(text)}</span>' if text else ""


def words(first: str, second: str = "") -> Cell:
    """A cell of words, with a quieter line where there is one."""
    return Cell(escape(first) + small(second))


def figure(first: str, second: str = "") -> Cell:
    """A cell with a figure and a quieter line."""
    return Cell(escape(first) + small(second), is_number=True)


def speed(tokens: Range | None, inputs: Range | None, short_of: str = "") -> Cell:
    """The typical speed with its range."""
    found = tokens if tokens is not None else inputs
    if found is None:
        return NOTHING
    unit = "" if tokens is not None else " inputs/s"
    return figure(f"{rough(found.typical)}{unit}", "; ".join(filter(None, (span(found, rough), short_of))))


def kept(found: Range | None) -> Cell:
    """The share of the 16-bit score that is kept, with its range."""
    if found is None:
        return NOTHING
    return figure(f"{min(found.typical, 100):.1f} %", f"{found.low:.0f} to {min(found.high, 100):.0f}")
