"""Sharing: links, the report as a PDF, tables and the question as files, and frozen recommendations."""

from __future__ import annotations

import json
from html import escape
from typing import Any
from urllib.parse import parse_qsl

import streamlit as st

from advisor.access.roles import login_required
from advisor.answer.answer import Answer
from advisor.foundation.errors import AdvisorError, InputError
from advisor.question.question import LANGUAGE_KEY, Question
from advisor.report.as_json import full_document
from advisor.report.document import (
    NAME_CHARACTERS,
    NOTE_CHARACTERS,
    TITLE_CHARACTERS,
    Cover,
    Logo,
    ReportDocument,
)
from advisor.report.exports import QUESTION_BYTES, file_name, plans_csv, question_from_yaml, question_to_yaml
from advisor.report.from_answer import report_of
from advisor.report.logo import LOGO_BYTES, checked_logo
from advisor.report.pdf import render_pdf
from advisor.ui import state, tongue
from advisor.ui.address import manager_link, question_link
from advisor.ui.asking import Reply
from advisor.ui.charts import report as report_charts
from advisor.ui.link import for_your_machine
from advisor.ui.one_at_a_time import in_turn
from advisor.ui.parts import frozen_by_all, frozen_list
from advisor.ui.parts.fold import fold
from advisor.ui.parts.text import plain, refusal, small
from advisor.words import ENGLISH, in_use

_PAPERS = {"a4": "A4", "letter": "Letter"}


def draw(reply: Reply) -> None:
    """Draw the page."""
    st.title("Report and share", anchor=False)
    answer = reply.answer
    if answer is None:
        st.error(refusal(reply.error or "There is no answer."), icon=":material/error:")
        _import()
        return
    query = answer.question.to_query()
    st.markdown(plain(f"{answer.entry.name} on {answer.machine_name}"))
    _language()
    st.header("Links", anchor=False)
    _link(
        "Copy link",
        "Opens this scenario, to change and to try, with the data and prices of the day.",
        question_link(query),
    )
    _link(
        "Link for a manager",
        "The same as a page to read and to print, for whoever logs in here."
        if login_required()
        else "The same as a page to read and to print: it opens at once, and chat programs show the decision.",
        manager_link(query),
    )
    _link(
        "Link for somebody else's machine",
        "Asks whoever opens it which machine is theirs, and answers for that one.",
        question_link(for_your_machine(dict(parse_qsl(query)))),
    )
    st.header("Report", anchor=False)
    document = report_of(answer, _cover(), question_link(query))
    _downloads(answer, document)
    frozen_list.draw(query, document)
    frozen_by_all.draw()
    fold("Charts as pictures", "fold_pictures", _charts, document)
    _import()


def _language() -> None:
    """In which language and for which country sentences, links and the report are written."""
    known = tongue.names()
    given = st.query_params.get(LANGUAGE_KEY, "")
    st.selectbox(
        "Language and country",
        list(known),
        index=list(known).index(given if given in known else in_use()),
        format_func=known.__getitem__,
        key=f"language_{given}",
        on_change=_choose_language,
        args=(f"language_{given}",),
        help="Of the answer with its figures, of sentences, the report and the links below. Inputs, tabs and what they "
        "draw stay English, with its signs in numbers.",
        width=320,
    )


def _choose_language(key: str) -> None:
    """Go on in another language. For callbacks only."""
    name = st.session_state[key]
    state.show(**{LANGUAGE_KEY: None if name == ENGLISH else name})


def _link(label: str, what: str, link: str) -> None:
    st.markdown(f"**{label}**  \n{small(what)}")
    st.code(link, language=None, wrap_lines=True)
    st.html(f'<p class="about"><a href="{escape(link, quote=True)}" target="_blank" rel="noopener">Open it</a></p>')


def _cover() -> Cover:
    """What the user puts on the report; kept for this visit only."""
    kept: dict[str, Any] = {"persist_state": "session"}
    with st.expander("Title, names, note and logo"):
        title = st.text_input("Title", key="cover_title", max_chars=TITLE_CHARACTERS, **kept)
        company = st.text_input("Company", key="cover_company", max_chars=NAME_CHARACTERS, **kept)
        prepared_for = st.text_input("Prepared for", key="cover_for", max_chars=NAME_CHARACTERS, **kept)
        note = st.text_area("Note", key="cover_note", max_chars=NOTE_CHARACTERS, **kept)
        logo = _logo()
        st.markdown(small("They go on the report and into what you freeze, and are forgotten with this visit."))
    return Cover(title=title or "", company=company or "", prepared_for=prepared_for or "", note=note or "", logo=logo)


def _logo() -> Logo | None:
    """The uploaded logo; an upload does not survive a look at another page, so what was checked is kept."""
    given = st.file_uploader(
        "Logo", type=["png", "svg"], key="cover_logo", help=f"PNG or SVG, at most {LOGO_BYTES // 1024} KiB."
    )
    if given is not None:
        try:
            st.session_state["logo"] = checked_logo(given.getvalue())
        except InputError as error:
            st.session_state.pop("logo", None)
            st.error(refusal(str(error)), icon=":material/error:")
    logo: Logo | None = st.session_state.get("logo")
    if logo is not None:
        st.button("Remove the logo", on_click=_forget_logo, key="remove_logo")
    return logo


def _forget_logo() -> None:
    st.session_state.pop("logo", None)
    st.session_state.pop("cover_logo", None)


def _downloads(answer: Answer, document: ReportDocument) -> None:
    def name(ending: str) -> str:
        return file_name(document, ending)

    paper = st.segmented_control(
        "Paper", list(_PAPERS), format_func=_PAPERS.__getitem__, default="a4", key="paper", persist_state="session"
    )
    with st.container(horizontal=True):
        _download_pdf(document, paper or "a4")
        for label, made, ending, mime in (
            ("All levels as CSV", in_turn(lambda: plans_csv(answer)), "csv", "text/csv"),
            ("Everything as JSON", in_turn(lambda: _everything(answer)), "json", "application/json"),
            ("Scenario as YAML", lambda: question_to_yaml(answer.question), "yaml", "application/yaml"),
        ):
            st.download_button(
                label, made, file_name=name(ending), mime=mime, on_click="ignore", key=f"download_{ending}"
            )


def _download_pdf(document: ReportDocument, paper: str) -> None:
    """A button for the document as PDF, which is made when it is pressed."""
    st.download_button(
        "PDF",
        lambda: render_pdf(document, "letter" if paper == "letter" else "a4"),
        file_name=file_name(document, "pdf"),
        mime="application/pdf",
        on_click="ignore",
        icon=":material/picture_as_pdf:",
        key=f"pdf_{paper}",
    )


def _everything(answer: Answer) -> str:
    return json.dumps(full_document(answer, answer.question.to_query()), indent=1)


def _charts(document: ReportDocument) -> None:
    kind = st.segmented_control("Format", ["png", "svg"], format_func=str.upper, default="png", key="picture") or "png"
    st.markdown(small("The camera above each chart saves it."))
    figures = []
    if document.memory is not None and document.memory.bars:
        figures.append(("memory", report_charts.memory_figure(document.memory)))
    if document.quality:
        figures.append(("quality", report_charts.quality_figure(document.quality)))
    if document.costs is not None and document.costs.lines:
        figures.append(("cost", report_charts.cost_figure(document.costs)))
    for name, figure in figures:
        file = file_name(document, name)
        st.plotly_chart(
            report_charts.as_picture(figure),
            key=f"picture_{name}",
            config=report_charts.chart_config(file, kind) | {"displayModeBar": True},
            alt=f"{name.capitalize()} chart of the report; its figures are in the files above.",
        )


def _import() -> None:
    st.header("Open a scenario file", anchor=False)
    given = st.file_uploader(
        "Scenario as YAML", type=["yaml", "yml"], key="scenario_file", help=f"At most {QUESTION_BYTES // 1024} KiB."
    )
    if given is None:
        return
    try:
        question = question_from_yaml(given.getvalue())
    except AdvisorError as error:
        st.error(refusal(str(error)), icon=":material/error:")
        return
    st.code(question.to_query(), language=None, wrap_lines=True)
    st.button("Use this scenario", on_click=_use, args=(question,), key="use_scenario", type="primary")


def _use(question: Question) -> None:
    """Ask what the file asks. For callbacks only."""
    state.ask(dict(parse_qsl(question.to_query(), keep_blank_values=True)))
