"""Tables and cards of the reverse questions as one piece of HTML each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from advisor.foundation.numbers import approx, span
from advisor.foundation.ranges import Range

NOTHING = '<span class="quiet">–</span>'


@dataclass(frozen=True, slots=True)
class Column:
    """`figures`: its cells are right-aligned. `explained` is a gloss under its name."""

    name: str
    explained: str = ""
    figures: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], name: str, end: str) -> str:
    """A table whose first cells are the heads of their rows. Cells are HTML already.

    It scrolls sideways on its own where it is wider than the page; `end` is the id of the place after it, to which
    the keyboard can jump.
    """
    head = "".join(
        f'<th scope="col"{_css(one)}>{escape(one.name)}{small(one.explained) if one.explained else ""}</th>'
        for one in columns
    )
    body = "".join(_row(columns, row) for row in rows)
    label = escape(name, quote=True)
    return (
        f'<a class="skip" href="#{end}">Skip the table</a>'
        f'<div class="wide" role="region" aria-label="{label}" tabindex="0"><table class="rows">'
        f'<caption class="unseen">{escape(name)}</caption>'
        f'<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div><span id="{end}"></span>'
    )


def _row(columns: Sequence[Column], cells: Sequence[str]) -> str:
    first, *others = cells
    rest = "".join(f"<td{_css(one)}>{cell}</td>" for one, cell in zip(columns[1:], others, strict=True))
    return f'<tr><th scope="row">{first}</th>{rest}</tr>'


def _css(column: Column) -> str:
    return ' class="figure"' if column.figures else ""


def small(text: str) -> str:
    """A quieter line below what it explains; text."""
    return f'<span class="small">{escape(text)}</span>'


def two(first: str, second: str = "") -> str:
    """A cell of text, with a quieter line where there is one."""
    return f"{escape(first)}{small(second)}" if second else escape(first)


def speed(tokens: Range | None, inputs: Range | None, short_of: str = "") -> str:
    """A cell with the typical speed, its unit and its range."""
    found, unit = (tokens, "tokens/s") if tokens is not None else (inputs, "inputs/s")
    if found is None:
        return NOTHING
    return two(f"{approx(found.typical)} {unit}", "; ".join(filter(None, (span(found), short_of))))


def kept(found: Range | None) -> str:
    """A cell with the share of the 16-bit score that is kept, and its range."""
    if found is None:
        return NOTHING
    return two(f"{found.typical:.1f} %", f"{found.low:.0f} to {min(found.high, 100):.0f}")
