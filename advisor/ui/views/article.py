"""The article's cases: what it says, what the engine answers today, and the questions to ask again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st
from plotly.graph_objects import Figure

from advisor.answer.case import OUTCOME_WORDS, Asked, Case, Outcome, Worked
from advisor.answer.cases_of_methods import spent
from advisor.answer.worked_cases import CASES, worked
from advisor.foundation.numbers import approx
from advisor.foundation.units import GB
from advisor.question.question import LANGUAGE_KEY, Question
from advisor.ui.charts.methods import awq_picture, gguf_picture, gptq_picture
from advisor.ui.legend import STATUS_SIGNS
from advisor.ui.parts.html import go, question_href
from advisor.ui.parts.html_table import Link, html_table
from advisor.ui.parts.text import plain
from advisor.ui.tongue import follow
from advisor.words import say

_SIGNS: dict[Outcome, tuple[str, str]] = {
    "holds": ("✔", "green"),
    "holds with a condition": ("▲", "orange"),
    "does not hold": ("✖", "red"),
}
_FIGURES = ("File (GB)", "Kept (%)", "Tokens/s")
_FEW = 4  # questions that have a link each; more stand in a table


@st.fragment
def draw() -> None:
    """Draw the tab. It is the same for every question: the claims bring their own.

    A claim is put to the engine when it is opened; what came out serves every visitor of the day.
    """
    follow(st.query_params.get(LANGUAGE_KEY, ""))  # a fragment runs in a thread of its own
    st.markdown(
        "What an article of June 2026 says about quantization, claim by claim, in our words and with its figures. Open "
        "one and it is asked of the engine anew: nothing is typed in but the claims and how the methods work."
    )
    if st.toggle(f"Test all {len(CASES)} claims now", key="all_claims"):
        with st.spinner("Asking the engine …"):
            _overview([worked(case) for case in CASES])
    for case in CASES:
        with st.expander(plain(say(case.says, "page")), key=f"claim_{case.id}", on_change="rerun") as claim:
            if claim.open:
                with st.spinner("Asking the engine …"):
                    found = worked(case)
                _section(found)


def _overview(found: Sequence[Worked]) -> None:
    st.html(
        html_table(
            f"{len(found)} claims with what becomes of them; opened below they say why",
            ("The article says", "Verdict", "Condition"),
            [
                (
                    say(one.case.says, "page"),
                    verdict(one),
                    say(one.condition, "page") if one.condition else "–",
                )
                for one in found
            ],
        )
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
        links = " · ".join(go(question_href(asked.query), _name(asked)) for asked in one.asked)
        st.html(f'<p class="about">Ask again: {links}</p>')
        return
    own = next(asked for asked in one.asked if is_same(asked.query, one.case.query))
    st.html(f'<p class="about">Ask again: {go(question_href(own.query), _name(own))}</p>')
    st.markdown(f"All {len(one.asked)} questions with their answers:")
    st.html(_answers(one))


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


def _draw(case: Case, figure: Figure, alt: str) -> None:
    st.plotly_chart(figure, key=f"picture_{case.id}", config={"displayModeBar": False}, alt=alt)


def _answers(one: Worked) -> str:
    return html_table(
        f"{len(one.asked)} questions with what is decided on each",
        ("Machine", "Level", "Status", *_FIGURES),
        [_row(asked) for asked in one.asked],
        _FIGURES,
    )


def _row(asked: Asked) -> tuple[str | Link, ...]:
    speed = asked.tokens_per_s if asked.runs else None
    return (
        Link(asked.machine, question_href(asked.query)),
        asked.level,
        f"{STATUS_SIGNS[asked.status]} {asked.status}",
        f"{asked.file_bytes / GB:.1f}",
        f"{asked.kept.typical:.1f}" if asked.kept is not None else "–",
        approx(speed.typical, 2) if speed is not None else "–",
    )
