"""A report to read: what a manager's link and a frozen recommendation open. No inputs, no sidebar, fit for paper.

Everything shown comes from the same ReportDocument as the PDF.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC
from html import escape
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from advisor.foundation.errors import InputError
from advisor.foundation.numbers import money, rough, span
from advisor.question.question import LANGUAGE_KEY, Question
from advisor.report.appendix import ASKED, KEPT_FREE
from advisor.report.document import Costs, Fact, Logo, ReportDocument
from advisor.report.drawing import number
from advisor.report.from_answer import report_of
from advisor.report.pdf import render_pdf
from advisor.ui.address import question_link
from advisor.ui.asking import Reply, reply_to
from advisor.ui.charts.report import chart_config, cost_figure, memory_figure, quality_figure
from advisor.ui.parts import model_input
from advisor.ui.parts.text import plain, refusal, small
from advisor.ui.tongue import with_language
from advisor.words import told

VIEW_KEY = "view"  # of the page, not of the question
REPORT_VIEW = "report"
_CSS = Path(__file__).parent / "report.css"
_COLOURS = {"good": "green", "tight": "orange", "bad": "red"}
_TILE = 155  # pixels; four stand in a row, two on a phone


def is_wanted() -> bool:
    """Whether the link asks for the report instead of the page."""
    return st.query_params.get(VIEW_KEY) == REPORT_VIEW


def draw_link() -> None:
    """The report about the question in the link, computed now."""
    st.html(_CSS)
    reply = _asked()
    if reply.answer is None:
        _no_answer(reply)
        return
    for problem in reply.problems:
        st.warning(refusal(problem), icon=":material/link_off:")
    query = reply.answer.question.to_query()
    document = report_of(reply.answer, link=question_link(query))
    draw(document)
    with st.container(key="for_the_screen", horizontal=True):
        download_pdf(document)
        st.link_button("Change the scenario", f"/?{with_language(query)}", icon=":material/tune:")


def _asked() -> Reply:
    given = {key: st.query_params.get_all(key) for key in st.query_params if key not in (VIEW_KEY, LANGUAGE_KEY)}
    try:
        for key, values in given.items():
            if len(values) > 1:
                raise InputError("'{name}' is given {count} times; give it once.", name=key[:40], count=len(values))
        question = Question.from_values({key: values[0] for key, values in given.items()})
    except InputError as error:
        return Reply(None, str(error), ())
    return reply_to(question)


def _no_answer(reply: Reply) -> None:
    st.title("LLM Fit Advisor", anchor=False)
    if reply.waiting:
        st.info(refusal(reply.error or ""), icon=":material/hourglass_top:")
        model_input.wait(reply.model)
        return
    st.error(refusal(reply.error or "There is no answer."), icon=":material/error:")
    st.link_button("Open the advisor", "/")


def download_pdf(document: ReportDocument, paper: str = "a4", label: str = "Download PDF") -> None:
    """A button for the document as PDF, which is made when it is pressed."""
    st.download_button(
        label,
        lambda: render_pdf(document, "letter" if paper == "letter" else "a4"),
        file_name=file_name(document, "pdf"),
        mime="application/pdf",
        on_click="ignore",
        icon=":material/picture_as_pdf:",
        key=f"pdf_{paper}",
    )


def file_name(document: ReportDocument, ending: str) -> str:
    """ "llama-3.1-70b-on-rtx-4090.pdf": letters and digits only, whatever the model is called."""
    words = "".join(sign if sign.isascii() and (sign.isalnum() or sign in ".-") else " " for sign in document.subject)
    return f"{'-'.join(words.lower().split())[:80].strip('.-') or 'report'}.{ending}"


def draw(document: ReportDocument) -> None:
    """Draw the report."""
    _head(document)
    _figures(document.key_figures)
    _list("Why", document.why)
    left, right = st.columns(2)
    with left:
        _facts("Model", document.model)
    with right:
        _facts("Machine", document.machine)
    if document.memory is not None and document.memory.bars:
        st.header(plain(f"Memory by level {document.memory.where}"), anchor=False)
        _chart(
            memory_figure(document.memory),
            "memory",
            "Memory by level: "
            + "; ".join(f"{bar.level} {number(bar.total_gib, 1)} GiB, {bar.verdict}" for bar in document.memory.bars),
        )
    if document.quality:
        st.header("Quality by task", anchor=False)
        words = (f"{row.task} {number(row.kept_percent.typical, 1)} %, {row.basis}" for row in document.quality)
        _chart(quality_figure(document.quality), "quality", "Quality kept: " + "; ".join(words))
        bases = dict.fromkeys(row.basis for row in document.quality)
        st.markdown(small(plain(f"Typical value and range. Based on: {'; '.join(bases)}.")))
    _speed(document)
    if document.costs is not None:
        _costs(document.costs)
    for heading, sentences in (
        ("Risks", document.risks),
        ("Other choices", document.choices),
        ("What would change it", document.what_would_flip),
        ("Next steps", document.next_steps),
    ):
        _list(heading, sentences)
    _assumptions(document)
    if document.glossary:
        st.header("Words used", anchor=False)
        st.markdown("\n".join(f"- **{plain(term.word)}**: {plain(term.meaning)}" for term in document.glossary))


def _head(document: ReportDocument) -> None:
    cover = document.cover
    if cover.logo is not None:
        st.html(_logo(cover.logo, cover.company))
    day = document.generated_at.astimezone(UTC)
    parts = [cover.company.strip(), "Recommendation", f"{day.day} {day:%B %Y}"]
    if cover.prepared_for.strip():
        parts.append(f"prepared for {cover.prepared_for.strip()}")
    st.markdown(small(plain(" · ".join(part for part in parts if part))))
    st.title(plain(document.title), anchor=False)
    if document.title != document.subject:
        st.markdown(plain(document.subject))
    with st.container(border=True, key="report_verdict"):
        st.markdown(f":{_COLOURS[document.tone]}[**{plain(document.verdict)}**]")
    for paragraph in cover.note.splitlines():
        if paragraph.strip():
            st.markdown(plain(paragraph))


def _logo(logo: Logo, company: str) -> str:
    """As a picture: inside one, an SVG can neither run nor fetch anything."""
    kind = "image/svg+xml" if logo.kind == "svg" else "image/png"
    alt = escape(f"Logo of {company.strip()}" if company.strip() else "Company logo", quote=True)
    return f'<img class="report-logo" alt="{alt}" src="data:{kind};base64,{b64encode(logo.data).decode()}">'


def _figures(facts: Sequence[Fact]) -> None:
    row = st.container(horizontal=True)
    for place, fact in enumerate(facts):
        with row.container(border=True, width=_TILE, key=f"figure_{place}"):
            note = f"  \n{small(plain(fact.note))}" if fact.note else ""
            st.markdown(f"{small(plain(fact.label))}  \n**{plain(fact.value)}**{note}")


def _facts(heading: str, facts: Sequence[Fact]) -> None:
    if not facts:
        return
    st.header(heading, anchor=False)
    lines = (
        f"- {plain(fact.label)}: **{plain(fact.value)}**{f' ({plain(fact.note)})' if fact.note else ''}"
        for fact in facts
    )
    st.markdown("\n".join(lines))


def _chart(figure: go.Figure, name: str, alt: str) -> None:
    st.plotly_chart(figure, key=f"report_{name}", config=chart_config(name), alt=alt)


def _speed(document: ReportDocument) -> None:
    if not document.speed:
        return
    st.header("Speed", anchor=False)
    _table(
        {
            "What": [row.what for row in document.speed],
            "Typical": [f"{rough(row.speed.typical)} {row.unit}" for row in document.speed],
            "Range": [span(row.speed, rough) for row in document.speed],
            "Based on": [row.basis for row in document.speed],
        }
    )


def _costs(costs: Costs) -> None:
    st.header("Cost", anchor=False)
    _table(
        {
            "Option": [option.name for option in costs.options],
            f"Up front ({costs.currency})": [number(option.upfront) for option in costs.options],
            f"A month ({costs.currency})": [
                f"{money(option.monthly.typical)} ({span(option.monthly, money)})" for option in costs.options
            ],
        }
    )
    if costs.lines:
        months = len(costs.lines[0].cumulative) - 1
        ends = (f"{line.name} {number(line.cumulative[-1])} {costs.currency}" for line in costs.lines)
        _chart(cost_figure(costs), "cost", f"Total cost after {months} months: {'; '.join(ends)}")
    for place, mark in enumerate(costs.break_evens, start=1):
        st.markdown(f"**{place}** {plain(mark.label)}.")
    if costs.note:
        st.markdown(small(plain(costs.note)))


def _list(heading: str, sentences: Sequence[str]) -> None:
    if sentences:
        st.header(heading, anchor=False)
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in sentences))


def _assumptions(document: ReportDocument) -> None:
    """What was asked for; how each figure follows from it is in the PDF."""
    appendix = document.appendix
    st.header("Assumptions", anchor=False)
    facts = [fact for fact in appendix.assumptions if fact.note in (told(ASKED), told(KEPT_FREE))]
    lines = [f"- {plain(fact.label)}: **{plain(fact.value)}**" for fact in facts]
    lines += [f"- {plain(note)}" for note in document.notes]
    st.markdown("\n".join(lines))
    about = [
        "Every figure's formula and source, and the commands to run it, are in the PDF.",
        f"Data release {appendix.data_release}." if appendix.data_release else "",
        f"LLM Fit Advisor {appendix.app_version}." if appendix.app_version else "",
    ]
    st.markdown(small(plain(" ".join(about))))


def _table(columns: dict[str, list[str]]) -> None:
    """A table that is printed whole; cells are text."""
    table = pd.DataFrame({name: [plain(cell) for cell in cells] for name, cells in columns.items()})
    if len(table):
        st.table(table.set_index(table.columns[0]))
