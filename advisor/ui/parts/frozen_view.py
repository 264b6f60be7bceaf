"""A frozen recommendation: exactly the stored numbers, and on demand what would be different today."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from advisor.foundation.errors import AdvisorError, InputError
from advisor.question.question import Question
from advisor.report.document import ReportDocument
from advisor.report.from_answer import report_of
from advisor.report.frozen import report_from_result
from advisor.report.frozen_changes import changes
from advisor.store import Snapshot, data_release
from advisor.ui.asking import reply_to
from advisor.ui.parts import report_view
from advisor.ui.parts.frozen_links import FROZEN_KEY, store
from advisor.ui.parts.text import plain, refusal, small
from advisor.ui.tongue import with_language
from advisor.words import speaking

_CSS = Path(__file__).parent / "report.css"


def wanted() -> str | None:
    """The id in the link; None where it asks for something else."""
    given: str | None = st.query_params.get(FROZEN_KEY)
    return given


def draw(id: str) -> None:
    """Draw what is stored under this id, without computing anything."""
    st.html(_CSS)
    try:
        snapshot = store().load(id)
        document = report_from_result(snapshot.result, snapshot.cover)
    except AdvisorError as error:
        st.title("LLM Fit Advisor", anchor=False)
        st.error(refusal(str(error)), icon=":material/error:")
        st.link_button("Open the advisor", "/")
        return
    st.info(plain(_about(snapshot)), icon=":material/ac_unit:")
    with speaking(document.language):  # which it was frozen in
        report_view.draw(document)
    with st.container(key="for_the_screen"):
        with st.container(horizontal=True):
            report_view.download_pdf(document)
            st.link_button("Open with today's data", f"/?{with_language(snapshot.query)}", icon=":material/update:")
            compare = st.button("What would be different today", icon=":material/compare_arrows:", key="compare")
        if compare:
            _compare(snapshot, document)


def _about(snapshot: Snapshot) -> str:
    until = "" if snapshot.expires_at is None else f" This link works until {snapshot.expires_at:%Y-%m-%d}."
    return (
        f"Frozen on {snapshot.created_at:%Y-%m-%d at %H:%M} UTC with data release {snapshot.data_release}, "
        f"version {snapshot.app_version}: these numbers do not change.{until}"
    )


def _compare(snapshot: Snapshot, document: ReportDocument) -> None:
    st.header("What would be different today", anchor=False)
    try:
        reply = reply_to(Question.from_query(snapshot.query))
        if reply.answer is None:
            raise InputError(reply.error or "There is no answer.")
    except InputError as error:
        st.warning(refusal(f"This question cannot be answered today: {error}"), icon=":material/error:")
        return
    found = changes(document, report_of(reply.answer))
    if found:
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in found))
    else:
        st.markdown("Nothing: today's answer is the same.")
    releases = (snapshot.data_release, data_release())
    data = (
        f"Same data release, {releases[0]}"
        if releases[0] == releases[1]
        else f"Data release {releases[0]} then, {releases[1]} today"
    )
    st.markdown(small(plain(f"{data}.")))
