"""Compare: up to four questions side by side, all of them in the address."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from urllib.parse import urlencode

import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.choices import Choice, choices
from advisor.answer.pinned import pinned_query
from advisor.foundation.errors import InputError
from advisor.question.question import Question
from advisor.report.columns import (
    COLUMNS_KEY,
    MOST_BESIDE,
    Changes,
    changes_of,
    question_of_column,
    read_columns,
    write_columns,
)
from advisor.report.comparison import LETTERS, compare
from advisor.report.comparison_pdf import EXPLAINED, comparison_pdf, names_of
from advisor.ui.address import page_address
from advisor.ui.asking import Reply, reply_to
from advisor.ui.link import meaning
from advisor.ui.parts import column_pickers, model_input
from advisor.ui.parts.comparison_table import comparison_html
from advisor.ui.parts.html import copyable, go, question_href
from advisor.ui.parts.text import refusal, small
from advisor.words import told

_PAGE = "compare"
_LAST = "compare_last"


def draw(reply: Reply) -> None:
    """Draw the page."""
    st.title("Compare", anchor=False)
    answer = reply.answer
    if answer is None:
        st.error(refusal(reply.error or "There is no answer."), icon=":material/error:")
        return
    base = answer.question
    columns = _columns()
    asked = [_question(base, changes) for changes in columns]
    column_pickers.draw(base, columns, asked, names_of(answer))
    column_pickers.add(base, columns)
    _suggest(answer, columns)
    letters, answers = _answers(answer, asked)
    rows = compare(answers, letters)
    if len(answers) > 1 and st.toggle("Only what differs", key="compare_differences", persist_state="session"):
        rows = tuple(row for row in rows if row.differs)
    st.html(comparison_html(answers, letters, rows))
    if len(answers) > 1:
        st.markdown(small(told(EXPLAINED)))
        _share(base, columns, answers, letters)


def _columns() -> tuple[Changes, ...]:
    """What the address says; of one that cannot be read, why."""
    text = st.query_params.get(COLUMNS_KEY, "")
    try:
        columns = read_columns(text)
    except InputError as error:
        st.warning(refusal(f"{error} Only the question above is shown."), icon=":material/link_off:")
        return ()
    if columns:
        st.session_state[_LAST] = text
    return columns


def _question(base: Question, changes: Changes) -> Question | InputError:
    try:
        found = question_of_column(base, changes)
        for key in ("model", "machine"):  # pickers need to know them
            meaning(key, found.value(key))
        return found
    except InputError as error:
        return error


def _answers(first: Answer, asked: Sequence[Question | InputError]) -> tuple[str, list[Answer]]:
    """The answers that there are with their letters; of the others it is said why not."""
    letters, answers = LETTERS[0], [first]
    for letter, question in zip(LETTERS[1:], asked, strict=False):
        if isinstance(question, InputError):  # its column says it
            continue
        reply = reply_to(question)
        if reply.answer is not None:
            letters, answers = letters + letter, [*answers, reply.answer]
        elif reply.waiting:
            st.info(refusal(f"{letter}: {reply.error}"), icon=":material/hourglass_top:")
            model_input.wait(reply.model)
        else:
            st.warning(refusal(f"{letter}: {reply.error}"), icon=":material/error:")
        for problem in reply.problems:
            st.warning(refusal(f"{letter}: {problem}"), icon=":material/link_off:")
    return letters, answers


def _suggest(answer: Answer, columns: Sequence[Changes]) -> None:
    """The choices of the decision as columns to add, and what was compared last."""
    links = []
    last = st.session_state.get(_LAST)
    if not columns and last:
        links.append(go(_address(answer.question, last), "What you compared last"))
    if len(columns) < MOST_BESIDE:
        for choice in choices(answer):
            changes = changes_of(_chosen(choice, answer), answer.question)
            name = f"{choice.role.capitalize()}: {choice.found.entry.name} as {choice.option.candidate.level}"
            if changes not in columns:
                links.append(go(_address(answer.question, write_columns([*columns, changes])), name))
    if links:
        st.html(f'<p class="about">{escape("Beside it:")} {" · ".join(links)}</p>')


def _chosen(choice: Choice, answer: Answer) -> Question:
    """Another model is asked as this one; another way to run this one is pinned."""
    if choice.found is not answer:
        return choice.found.question
    return Question.from_query(pinned_query(choice.option.setup.question, answer.entry, choice.option.plan))


def _address(base: Question, columns: str) -> str:
    query = base.to_query()
    return question_href(f"{query}&{urlencode({COLUMNS_KEY: columns})}" if columns else query, _PAGE)


def _share(base: Question, columns: Sequence[Changes], answers: Sequence[Answer], letters: str) -> None:
    link = f"{page_address()}/{_address(base, write_columns(columns)).removeprefix('./')}"
    st.html(f"<h2>Hand it on</h2>{copyable(link, 'the link of this comparison')}")
    st.download_button(
        "PDF of this comparison",
        partial(comparison_pdf, answers, letters, link),
        file_name="comparison.pdf",
        mime="application/pdf",
        on_click="ignore",
        key="compare_pdf",
        icon=":material/picture_as_pdf:",
    )
