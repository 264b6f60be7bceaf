"""A report to read: what a manager's link and a frozen recommendation open. No inputs, no sidebar, fit for paper.

Everything shown comes from the same ReportDocument as the PDF.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from advisor.foundation.errors import InputError
from advisor.question.question import LANGUAGE_KEY, Question
from advisor.report.appendix import ASKED, KEPT_FREE
from advisor.report.document import Costs, Fact, ReportDocument
from advisor.report.drawing import costs_payload, memory_payload, number, quality_payload
from advisor.report.from_answer import report_of
from advisor.report.headings import headings
from advisor.report.pdf import render_pdf
from advisor.ui.address import question_link
from advisor.ui.asking import Reply, reply_to
from advisor.ui.charts.report import chart_config, cost_figure, memory_figure, quality_figure
from advisor.ui.parts import model_input
from advisor.ui.parts.report_brief import COLOURS, draw_brief, head, listed, tiles
from advisor.ui.parts.text import plain, refusal, small
from advisor.ui.tongue import with_language
from advisor.words import told
from advisor.words.written import money, rough, span

VIEW_KEY = "view"  # of the page, not of the question
REPORT_VIEW = "report"
_CSS = Path(__file__).parent / "report.css"


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
    """Draw the report: what whoever decides reads, then what whoever sets it up does, then money and assumptions."""
    said = headings()
    head(document)
    if document.brief is not None:
        draw_brief(document.brief, said)
    if document.about:
        st.markdown(small(plain(document.about)))
    tiles("figure", [(fact.label, fact.value, (fact.note,)) for fact in document.key_figures])
    listed(said["why"], document.why)
    left, right = st.columns(2)
    with left:
        _facts(said["model"], document.model)
    with right:
        _facts(said["machine"], document.machine)
    _memory(document)
    _quality(document, said)
    _speed(document, said)
    _choices(document, said)
    if document.start:
        st.header(said["start"], anchor=False)
        for command in document.start:
            st.markdown(plain(command.purpose))
            st.code(command.line, language=None, wrap_lines=True)
    _money(document, said)
    listed(said["risks"], document.risks)
    if document.brief is None:
        listed(said["changes"], document.what_would_flip)
    listed(said["next_steps"], document.next_steps)
    _assumptions(document, said)
    if document.glossary:
        st.header(said["glossary"], anchor=False)
        st.markdown("\n".join(f"- **{plain(term.word)}**: {plain(term.meaning)}" for term in document.glossary))


def _memory(document: ReportDocument) -> None:
    chart = document.memory
    if chart is None or not chart.bars:
        return
    drawn = memory_payload(chart)
    if drawn is not None:
        st.header(plain(drawn["heading"]), anchor=False)
        _chart(memory_figure(chart), "memory", drawn["alt"])


def _quality(document: ReportDocument, said: Mapping[str, str]) -> None:
    drawn = quality_payload(document.quality)
    if drawn is None:
        return
    st.header(said["quality"], anchor=False)
    _chart(quality_figure(document.quality), "quality", drawn["alt"])
    bases = dict.fromkeys(row.basis for row in document.quality)
    rests = told("Typical value and range. Based on: {bases}.", bases="; ".join(bases))
    st.markdown(small(plain(rests)))


def _money(document: ReportDocument, said: Mapping[str, str]) -> None:
    if document.what_matters is not None:
        st.header(said["what_matters"], anchor=False)
        rows = document.what_matters.rows
        _table({name: [row[i] for row in rows] for i, name in enumerate(document.what_matters.columns)})
    if document.costs is not None:
        _costs(document.costs, said, document.brief is None)
    listed(said["not_included"], document.not_included)


def _choices(document: ReportDocument, said: Mapping[str, str]) -> None:
    if not document.cards:
        listed(said["choices"], document.choices)
        return
    st.header(said["cards"], anchor=False)
    for card in document.cards:
        figures = " · ".join(f"{fact.label} {fact.value}" for fact in card.figures)
        gain = f"  \n{plain(card.gain)}" if card.gain else ""
        mark = f":{COLOURS[card.tone]}[{plain(card.status)}]"
        st.markdown(f"{plain(card.role)}: **{plain(card.name)}** {mark}  \n{small(plain(figures))}{gain}")


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


def _speed(document: ReportDocument, said: Mapping[str, str]) -> None:
    if not document.speed:
        return
    st.header(said["speed"], anchor=False)
    _table(
        {
            said["what"]: [row.what for row in document.speed],
            said["typical"]: [f"{rough(row.speed.typical)} {row.unit}" for row in document.speed],
            said["range"]: [span(row.speed, rough) for row in document.speed],
            said["based_on"]: [row.basis for row in document.speed],
        }
    )


def _costs(costs: Costs, said: Mapping[str, str], with_options: bool) -> None:
    st.header(said["cost"], anchor=False)
    if with_options:  # which the three ways show else
        _table(
            {
                said["option"]: [option.name for option in costs.options],
                f"{said['upfront']} ({costs.currency})": [number(option.upfront) for option in costs.options],
                f"{said['month']} ({costs.currency})": [
                    f"{money(option.monthly.typical)} ({span(option.monthly, money)})" for option in costs.options
                ],
            }
        )
    if costs.lines:
        drawn = costs_payload(costs)["chart"]
        _chart(cost_figure(costs), "cost", drawn["alt"])
    for place, mark in enumerate(costs.break_evens, start=1):
        st.markdown(f"**{place}** {plain(mark.label)}.")
    if costs.note:
        st.markdown(small(plain(costs.note)))


def _assumptions(document: ReportDocument, said: Mapping[str, str]) -> None:
    """What was asked for; how each figure follows from it is in the PDF."""
    appendix = document.appendix
    st.header(said["assumptions"], anchor=False)
    facts = [fact for fact in appendix.assumptions if fact.note in (told(ASKED), told(KEPT_FREE))]
    lines = [f"- {plain(fact.label)}: **{plain(fact.value)}**" for fact in facts]
    lines += [f"- {plain(note)}" for note in document.notes]
    st.markdown("\n".join(lines))
    lines += [f"- {plain(line)}" for line in appendix.how_right]
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
