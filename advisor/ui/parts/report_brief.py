"""The first page of a report on the screen: the decision, what it costs, what people get, and the three ways."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from advisor.report.brief import Brief, Figure, Ways
from advisor.report.document import Logo, ReportDocument
from advisor.report.headings import headings, kicker
from advisor.ui.parts.text import plain, small

COLOURS = {"good": "green", "tight": "orange", "bad": "red"}
_CHOSEN = ' class="chosen"'
_TILE = 155  # pixels; four stand in a row, two on a phone


def draw_brief(brief: Brief, said: Mapping[str, str]) -> None:
    """What it costs, what people get, the three ways, and when to look again."""
    for name, heading, figures in (("money", said["money"], brief.money), ("gets", said["gets"], brief.gets)):
        if figures:
            st.header(heading, anchor=False)
            tiles(name, [(one.label, one.value, _beside(one)) for one in figures])
    if brief.ways is not None:
        st.header(said["ways"], anchor=False)
        st.html(_ways(brief.ways))
    listed(said["changes"], brief.changes)
    if brief.look_again:
        st.header(said["look_again"], anchor=False)
        st.markdown(f"**{plain(brief.look_again)}**")


def _beside(one: Figure) -> tuple[str, ...]:
    sure = " · ".join(part for part in (one.confidence, one.as_of) if part)
    return (one.between, one.words, sure)


def _ways(ways: Ways) -> str:
    """The three ways as a table, the way to go marked."""
    heads = "".join(
        f'<th scope="col">{escape(name)}{" ✓" if place == ways.chosen else ""}</th>'
        for place, name in enumerate(ways.columns)
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(
            f"<td{_CHOSEN if place == ways.chosen else ''}>{escape(cell)}</td>" for place, cell in enumerate(row[1:])
        )
        + "</tr>"
        for row in ways.rows
    )
    table = f'<table class="ways"><thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(headings()["ways"])}">{table}</div>'


def head(document: ReportDocument) -> None:
    """Who it is from and for, the title, and the decision."""
    cover, brief = document.cover, document.brief
    if cover.logo is not None:
        st.html(_logo(cover.logo, cover.company))
    parts = (cover.company.strip(), kicker(document))
    st.markdown(small(plain(" · ".join(part for part in parts if part))))
    st.title(plain(document.title), anchor=False)
    if document.title != document.subject:
        st.markdown(plain(document.subject))
    with st.container(border=True, key="report_verdict"):
        if brief is None:
            st.markdown(f":{COLOURS[document.tone]}[**{plain(document.verdict)}**]")
        else:
            st.markdown(f"**{plain(brief.decision)}**")
            if brief.sure:
                st.markdown(plain(" ".join(brief.sure)))
            if brief.beside:
                st.markdown(f":{COLOURS[document.tone]}[{plain(brief.beside)}]")
    for paragraph in cover.note.splitlines():
        if paragraph.strip():
            st.markdown(plain(paragraph))


def tiles(name: str, facts: Sequence[tuple[str, str, tuple[str, ...]]]) -> None:
    """Tiles in a row: label, value, and what is said beside it."""
    if not facts:
        return
    row = st.container(horizontal=True)
    for place, (label, value, beside) in enumerate(facts):
        with row.container(border=True, width=_TILE, key=f"{name}_{place}"):
            notes = "".join(f"  \n{small(plain(note))}" for note in beside if note)
            st.markdown(f"{small(plain(label))}  \n**{plain(value)}**{notes}")


def _logo(logo: Logo, company: str) -> str:
    """As a picture: inside one, an SVG can neither run nor fetch anything."""
    kind = "image/svg+xml" if logo.kind == "svg" else "image/png"
    alt = escape(f"Logo of {company.strip()}" if company.strip() else "Company logo", quote=True)
    return f'<img class="report-logo" alt="{alt}" src="data:{kind};base64,{b64encode(logo.data).decode()}">'


def listed(heading: str, sentences: Sequence[str]) -> None:
    """A heading and its sentences; nothing where there are none."""
    if sentences:
        st.header(heading, anchor=False)
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in sentences))
