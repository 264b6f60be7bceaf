"""A table as plain HTML: light, in one piece, and left with one press of Tab. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape

from advisor.ui.parts.html import go


@dataclass(frozen=True, slots=True)
class Cell:
    """A text that leads somewhere: within the app, or out of it where the address begins with https://."""

    text: str
    href: str


def html_table(
    name: str, columns: Sequence[str], rows: Sequence[Sequence[str | Cell]], numbers: Collection[str] = ()
) -> str:
    """`name` is what a screen reader calls it; `numbers` are the columns that stand to the right.

    It scrolls sideways on its own where the page is narrow.
    """
    right = [' class="number"' if column in numbers else "" for column in columns]
    head = "".join(f'<th scope="col"{css}>{escape(column)}</th>' for column, css in zip(columns, right, strict=True))
    body = []
    for row in rows:
        first, *rest = (_text(cell) for cell in row)
        cells = "".join(f"<td{css}>{cell}</td>" for cell, css in zip(rest, right[1:], strict=True))
        body.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    return (
        f'<div class="html-table" role="region" tabindex="0" aria-label="{escape(name, quote=True)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _text(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return escape(cell)
    if cell.href.startswith("https://"):
        return f'<a href="{escape(cell.href, quote=True)}" target="_blank" rel="noopener">{escape(cell.text)}</a>'
    return go(cell.href, cell.text)
