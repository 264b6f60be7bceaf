"""Pieces of HTML that the pages share. What comes from outside goes through `escape` here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from advisor.answer.status import Status
from advisor.report.named import status_inside
from advisor.ui.legend import STATUS_COLOURS, STATUS_SIGNS
from advisor.ui.tongue import with_language


def words(text: str) -> str:
    """A sentence, escaped; a number and its unit stay on one line."""
    return re.sub(r"(\d) (%|[KMG]i?[Bo]\b|tokens/s|tokens\b|Tokens?(?:/s|\b)|USD\b)", r"\1&nbsp;\2", escape(text))


def go(href: str, text: str, css: str = "") -> str:
    """A link within the app: followed without a reload where page.js runs, an ordinary link elsewhere."""
    named = f' class="{css}"' if css else ""
    return f'<a data-go="1"{named} target="_self" href="{escape(href, quote=True)}">{escape(text)}</a>'


def outside(address: str, text: str) -> str:
    """A link that leaves the app, to https only; anything else stays text."""
    if not address.startswith("https://"):
        return escape(text)
    return f'<a href="{escape(address, quote=True)}" target="_blank" rel="noopener">{escape(text)}</a>'


def question_href(query: str, page: str = "") -> str:
    """The address of a page about a question, from any page of the app, in the language that was chosen."""
    query = with_language(query)
    return f"./{page}?{query}" if query else f"./{page}"


def copyable(text: str, name: str) -> str:
    """Text to copy with a button; `name` says what it is."""
    return (
        f'<div class="copyable"><pre tabindex="0" aria-label="{escape(name, quote=True)}">{escape(text)}</pre>'
        f'<button type="button" data-copy="1" aria-label="Copy: {escape(name, quote=True)}">Copy</button></div>'
    )


@dataclass(frozen=True)
class Tile:
    """A figure with what it is and its range."""

    label: str
    value: str
    note: str


def tile_list(found: Iterable[Tile]) -> str:
    """Figures side by side."""
    drawn = (
        f"<div><dt>{words(one.label)}</dt><dd>{words(one.value)}<small>{words(one.note)}</small></dd></div>"
        for one in found
    )
    return f'<dl class="tiles">{"".join(drawn)}</dl>'


def badge(status: Status) -> str:
    """A status with its sign and its colour."""
    return f'<span class="badge {STATUS_COLOURS[status]}">{STATUS_SIGNS[status]} {escape(status_inside(status))}</span>'
