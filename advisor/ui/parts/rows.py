"""Tables as HTML: few bytes, links in them work, and a screen reader reads them as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Cell:
    """`html` is already safe; `is_number` puts it to the right."""

    html: str
    is_number: bool = False


def cell(text: str) -> Cell:
    """A cell of words."""
    return Cell(escape(text))


def number_cell(text: str) -> Cell:
    """A cell with a figure, already written."""
    return Cell(escape(text), is_number=True)


def table(caption: str, heads: Sequence[str], rows: Sequence[tuple[bool, Sequence[Cell]]]) -> str:
    """A table as HTML; each row says whether it is the chosen one. `caption` is for screen readers."""
    numbers = [bool(rows) and rows[0][1][place].is_number for place in range(len(heads))]
    head = "".join(
        f'<th scope="col"{_css(is_number)}>{escape(name)}</th>' for name, is_number in zip(heads, numbers, strict=True)
    )
    body = "".join(
        f"<tr{' class=chosen' if chosen else ''}>"
        + "".join(f"<td{_css(one.is_number)}>{one.html}</td>" for one in cells)
        + "</tr>"
        for chosen, cells in rows
    )
    return (
        f'<div class="rows" tabindex="0" role="region" aria-label="{escape(caption, quote=True)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _css(is_number: bool) -> str:
    return ' class="number"' if is_number else ""
