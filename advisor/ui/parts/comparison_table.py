"""A comparison as one piece of HTML: rows in groups, the best of each marked by a sign and a word."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from advisor.answer.answer import Answer
from advisor.answer.status import STATUSES
from advisor.report.comparison import Row
from advisor.report.comparison_pdf import names_of
from advisor.ui.legend import RECOMMENDED
from advisor.ui.parts.html import badge, go, question_href
from advisor.words import told


def comparison_html(answers: Sequence[Answer], letters: str, rows: Sequence[Row]) -> str:
    """The table; heads lead to the answers."""
    heads = "".join(
        f'<th scope="col">{letter}: {go(question_href(one.question.to_query()), names_of(one))}</th>'
        for letter, one in zip(letters, answers, strict=False)
    )
    count = len(answers) + 1
    body = "".join(_group(name, tuple(those), count) for name, those in groupby(rows, key=lambda row: row.group))
    name = f"{len(answers)} questions side by side"
    return (
        f'<div class="rows beside" role="region" tabindex="0" aria-label="{name}"><table>'
        f'<thead><tr><th scope="col">What</th>{heads}</tr></thead>{body}</table></div>'
    )


def _group(name: str, rows: Sequence[Row], count: int) -> str:
    head = f'<tr><th scope="rowgroup" colspan="{count}">{escape(name)}</th></tr>'
    return f"<tbody>{head}{''.join(_row(row) for row in rows)}</tbody>"


def _row(row: Row) -> str:
    cells = "".join(_cell(row, place) for place in range(len(row.cells)))
    return f'<tr><th scope="row">{escape(row.name)}</th>{cells}</tr>'


def _cell(row: Row, place: int) -> str:
    text = row.cells[place].text
    shown = next((badge(status) for status in STATUSES if row.name == told("Status") and status == text), escape(text))
    if place in row.best:
        return f'<td class="best">{shown}<span class="mark">{RECOMMENDED} {escape(row.mark)}</span></td>'
    return f"<td>{shown}</td>"
