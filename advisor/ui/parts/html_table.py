"""A table of texts, some of which lead somewhere. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from advisor.ui.parts import rows as html_rows
from advisor.ui.parts.html import go


@dataclass(frozen=True, slots=True)
class Link:
    """A text that leads to another page of the app."""

    text: str
    href: str


def html_table(
    name: str, columns: Sequence[str], rows: Sequence[Sequence[str | Link]], numbers: Collection[str] = ()
) -> str:
    """`name` is what a screen reader calls it; `numbers` are the columns that stand to the right."""
    return html_rows.table(
        name,
        columns,
        [(False, [_cell(one, column in numbers) for one, column in zip(row, columns, strict=True)]) for row in rows],
    )


def _cell(one: str | Link, is_number: bool) -> html_rows.Cell:
    if isinstance(one, Link):
        return html_rows.Cell(go(one.href, one.text))
    return html_rows.number_cell(one) if is_number else html_rows.cell(one)
