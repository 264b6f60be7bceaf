"""Small pieces of the page. Whatever comes as text leaves escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from advisor.report.document import Command, Fact, Table
from advisor.words import told

_ADDRESS = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:)]")


def text(value: str) -> str:
    """Text, escaped."""
    return escape(value, quote=False)


def attribute(value: str) -> str:
    """A value of an attribute, escaped for within double quotes."""
    return escape(value, quote=True)


def linked(value: str) -> str:
    """Text, escaped; web addresses in it lead there."""
    parts, at = [], 0
    for found in _ADDRESS.finditer(value):
        address = found.group()
        parts.append(text(value[at : found.start()]))
        parts.append(f'<a href="{attribute(address)}" rel="noopener">{text(address)}</a>')
        at = found.end()
    return "".join(parts) + text(value[at:])


def section(name: str, body: str) -> str:
    """A part with its heading; nothing where it would be empty."""
    return f"<section><h2>{text(name)}</h2>{body}</section>" if body else ""


def items(sentences: Iterable[str]) -> str:
    """Sentences as a list; nothing where there are none."""
    drawn = "".join(f"<li>{linked(sentence)}</li>" for sentence in sentences)
    return f"<ul>{drawn}</ul>" if drawn else ""


def tiles(facts: Iterable[Fact]) -> str:
    """Facts side by side, the values large."""
    drawn = "".join(
        f"<div><dt>{text(fact.label)}</dt><dd><b>{text(fact.value)}</b>{_small(fact.note)}</dd></div>" for fact in facts
    )
    return f"<dl class=figures>{drawn}</dl>" if drawn else ""


def facts(found: Iterable[Fact]) -> str:
    """A label and its value in each line."""
    drawn = "".join(f"<dt>{text(fact.label)}</dt><dd>{linked(fact.value)}{_small(fact.note)}</dd>" for fact in found)
    return f"<dl class=facts>{drawn}</dl>" if drawn else ""


def _small(note: str) -> str:
    return f"<small>{' ' if note else ''}{text(note)}</small>" if note else ""


def table(found: Table, mark: int | None = None) -> str:
    """A table, each row of which is a list of its own on a phone; `mark` is a column that stands out."""
    right = set(found.right_aligned)

    def css(column: int) -> str:
        named = [name for name, holds in (("n", column in right), ("chosen", column == mark)) if holds]
        return f' class="{" ".join(named)}"' if named else ""

    head = "".join(
        f"<th scope=col{css(i)}>{text(name)}</th>" if name else "<td></td>" for i, name in enumerate(found.columns)
    )
    rows = []
    for place, row in enumerate(found.rows):
        cells = "".join(
            f'<td{css(i)} data-of="{attribute(found.columns[i])}">{linked(cell)}</td>'
            for i, cell in enumerate(row)
            if i
        )
        here = " class=chosen" if place == found.highlighted else ""
        rows.append(f"<tr{here}><th scope=row>{text(row[0])}</th>{cells}</tr>")
    return f"<table class=stacked><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def commands(found: Sequence[Command]) -> str:
    """Command lines, each with what it is for."""
    return "".join(
        f"<p>{text(command.purpose)}</p>"
        f'<pre tabindex="0" aria-label="{attribute(told("Command line"))}">{text(command.line)}</pre>'
        for command in found
    )
