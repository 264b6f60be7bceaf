"""Up to four questions side by side, their differences marked."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from advisor.answer.answer import Answer
from advisor.foundation.errors import InputError
from advisor.report.comparison import MOST_COMPARED, Row, answer_link, compare
from advisor.ui.asking import Reply
from advisor.ui.parts.text import plain, refusal, small

_LINES = "compare_lines"
_DIFFERENT = "≠"


def draw(reply: Reply) -> None:
    """Draw the page."""
    st.title("Compare", anchor=False)
    st.markdown(f"This scenario beside up to {MOST_COMPARED - 1} others, one link a line. Differences are marked.")
    _inputs(reply.answer)
    answers = [reply.answer] if reply.answer is not None else []
    if reply.answer is None:
        st.error(refusal(reply.error or "There is no answer."), icon=":material/error:")
    asked = [line for line in (st.session_state.get(_LINES) or "").splitlines() if line.strip()]
    with st.spinner("Answering every scenario …"):
        for number, line in enumerate(asked, start=1):
            if len(answers) == MOST_COMPARED:
                st.warning(
                    plain(f"At most {MOST_COMPARED} scenarios fit side by side; line {number} and below are left out."),
                    icon=":material/info:",
                )
                break
            try:
                found = answer_link(line)
            except InputError as error:
                st.warning(refusal(f"Line {number}: {error}"), icon=":material/link_off:")
                continue
            if all(found.question.to_query() != other.question.to_query() for other in answers):  # pins count
                answers.append(found)
    if answers:
        _side_by_side(answers)


def _inputs(current: Answer | None) -> None:
    def add() -> None:
        if current is not None:
            lines = [line for line in (st.session_state.get(_LINES) or "").splitlines() if line.strip()]
            query = current.question.to_query()
            st.session_state[_LINES] = "\n".join([*lines, *([query] if query not in lines else [])])

    st.text_area(
        "Scenarios to compare with",
        key=_LINES,
        max_chars=20_000,
        height=110,
        persist_state="session",
        placeholder="A link of this page, or what stands in it after the ?",
        help="Copy these lines to hand the comparison on.",
    )
    with st.container(horizontal=True):
        st.button(
            "Add the current scenario",
            on_click=add,
            disabled=current is None,
            help="Then change model or machine on the left: the line stays and the first column follows.",
        )
        st.button("Clear", on_click=lambda: st.session_state.update({_LINES: ""}))


def _side_by_side(answers: Sequence[Answer]) -> None:
    rows = compare(answers)
    table = comparison_table(rows)
    names = [str(name) for name in table.columns[1:]]
    only = len(answers) > 1 and st.toggle("Only what differs", key="compare_differences", persist_state="session")
    shown = table[[row.differs for row in rows]] if only else table
    st.dataframe(
        shown.style.apply(_mark, axis=1),
        hide_index=True,
        height="content",
        key="comparison",
        alt=f"{len(answers)} scenarios side by side in {len(shown)} rows; {_DIFFERENT} marks what differs",
        column_config={"What": st.column_config.TextColumn("What", pinned=True, width=150)}
        | {name: st.column_config.TextColumn(name, width="medium") for name in names},
    )
    if len(answers) == 1:
        st.markdown(small("Add a scenario, then change something on the left."))
        return
    st.markdown("**Open one**")
    with st.container(horizontal=True):
        for name, one in zip(names, answers, strict=True):
            st.link_button(f"{name}: {plain(one.entry.name)}", f"./?{one.question.to_query()}")


def comparison_table(rows: Sequence[Row]) -> pd.DataFrame:
    """One row for each fact, one column for each question; "≠" before the name marks what differs."""
    count = len(rows[0].values) if rows else 0
    columns = ["This scenario", *(f"Scenario {number}" for number in range(2, count + 1))]
    named = [f"{_DIFFERENT} {row.name}" if row.differs else row.name for row in rows]
    return pd.DataFrame(
        [[name, *row.values] for name, row in zip(named, rows, strict=True)], columns=["What", *columns]
    )


def _mark(row: pd.Series[str]) -> list[str]:
    style = "background-color: rgba(196, 137, 15, 0.22)" if row["What"].startswith(_DIFFERENT) else ""
    return [style] * len(row)
