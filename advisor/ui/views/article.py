"""The article's cases: what it says, what the engine answers today, and the questions to ask again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from advisor.answer.case import OUTCOME_WORDS, Asked, Case, Outcome, Worked
from advisor.answer.cases_of_methods import spent
from advisor.answer.worked_cases import CASES, worked
from advisor.foundation.units import GB
from advisor.question.question import Question
from advisor.ui.address import question_link
from advisor.ui.charts.methods import awq_picture, gguf_picture, gptq_picture
from advisor.ui.legend import STATUS_SIGNS
from advisor.ui.parts.text import plain
from advisor.words import say

_SIGNS: dict[Outcome, tuple[str, str]] = {
    "holds": ("✔", "green"),
    "holds with a condition": ("▲", "orange"),
    "does not hold": ("✖", "red"),
}
_FEW = 4  # questions that have a button each; more stand in a table


def draw() -> None:
    """Draw the page. It is the same for every question: the cases bring their own."""
    st.title("The article's cases", anchor=False)
    st.markdown(
        "What an article of June 2026 says about quantization, case by case, in our words and with its figures. Each "
        "is asked of the engine anew: nothing below is typed in but the claims and how the methods work."
    )
    overview = st.empty()
    found = []
    for case in CASES:
        st.header(plain(say(case.says, "page")), anchor=False)
        with st.spinner("Asking the engine …"):
            one = worked(case)
        found.append(one)
        _section(one)
    with overview.container():
        _overview(found)


def _overview(found: Sequence[Worked]) -> None:
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "verdict": verdict(one),
                    "claim": say(one.case.says, "page"),
                    "condition": say(one.condition, "page") if one.condition else None,
                }
                for one in found
            ]
        ),
        hide_index=True,
        height="content",
        key="cases",
        placeholder="–",
        alt=f"{len(found)} claims with what becomes of them; the sections below say why",
        column_config={
            "verdict": st.column_config.TextColumn("Verdict", width=165),
            "claim": st.column_config.TextColumn("The article says", width=420),
            "condition": st.column_config.TextColumn("Condition", width="large"),
        },
    )


def verdict(one: Worked) -> str:
    """What becomes of a claim, with its sign: "✔ holds"."""
    return f"{_SIGNS[one.outcome][0]} {say(OUTCOME_WORDS[one.outcome], 'page')}"


def _section(one: Worked) -> None:
    condition = f": {plain(say(one.condition, 'page'))}" if one.condition else ""
    st.markdown(f"**:{_SIGNS[one.outcome][1]}[{verdict(one)}]**{condition}")
    _picture(one.case)
    st.markdown("\n".join(f"- {plain(say(said, 'page'))}" for said in one.facts))
    if one.case.source:
        st.markdown(f"[How it works, by its authors]({one.case.source})")
    if len(one.asked) <= _FEW:
        with st.container(horizontal=True):
            for asked in one.asked:
                st.link_button(plain(_name(asked)), f"./?{asked.query}")
        return
    own = next(asked for asked in one.asked if is_same(asked.query, one.case.query))
    st.link_button(plain(_name(own)), f"./?{own.query}")
    with st.expander(f"All {len(one.asked)} questions with their answers"):
        _answers(one)


def is_same(query: str, other: str) -> bool:
    """Whether two links ask the same question, in whatever order their keys are written."""
    return Question.from_query(query) == Question.from_query(other)


def _name(asked: Asked) -> str:
    return f"{asked.model} as {asked.level} on {asked.machine}"


def _picture(case: Case) -> None:
    match case.kind:
        case "gptq":
            _draw(
                case,
                gptq_picture(),
                "Drawing: the weights of a layer as a grid. The columns at the left are rounded, one is being rounded, "
                "and arrows carry its error to the columns at the right, which are moved to make up for it.",
            )
        case "awq":
            _draw(
                case,
                awq_picture(),
                "Drawing: above the inputs of a layer as bars, two of them large; below its weights as a grid, in "
                "which the two columns under the large inputs are scaled up before rounding.",
            )
        case "gguf":
            bits = spent()
            counts = Counter(figure for _, row in bits.rows for figure in row)
            _draw(
                case,
                gguf_picture(bits),
                f"Bits a weight of {len(bits.rows)} tensors in each of {len(bits.rows[0][1])} layers of a {bits.level} "
                f"file: {counts.most_common(1)[0][0]:.2f} in most places, at most {max(counts):.2f}.",
            )
        case _:
            pass


def _draw(case: Case, figure: go.Figure, alt: str) -> None:
    st.plotly_chart(figure, key=f"picture_{case.id}", config={"displayModeBar": False}, alt=alt)


def _answers(one: Worked) -> None:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    st.dataframe(
        pd.DataFrame([_row(asked) for asked in one.asked]),
        hide_index=True,
        height=380,
        key=f"asked_{one.case.id}",
        placeholder="–",
        alt=f"{len(one.asked)} questions with what is decided on each",
        column_config={
            "machine": text("Machine", pinned=True, width=200),
            "level": text("Level"),
            "status": text("Status"),
            "file": number("File (GB)", format="%.1f"),
            "kept": number("Kept (%)", format="%.1f"),
            "speed": number("Tokens/s", format="%.1f"),
            "ask": st.column_config.LinkColumn("Ask again", display_text="Open"),
        },
    )


def _row(asked: Asked) -> dict[str, object]:
    runs = asked.runs
    return {
        "machine": asked.machine,
        "level": asked.level,
        "status": f"{STATUS_SIGNS[asked.status]} {asked.status}",
        "file": asked.file_bytes / GB,
        "kept": asked.kept.typical if asked.kept is not None else None,
        "speed": asked.tokens_per_s.typical if runs and asked.tokens_per_s is not None else None,
        "ask": question_link(asked.query),
    }
