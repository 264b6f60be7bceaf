"""What would change the answer: each line is a question that was asked again."""

from __future__ import annotations

import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.flips import Flip, flips
from advisor.answer.plans import runtime_name
from advisor.foundation.numbers import rough
from advisor.ui.parts.html import badge, go, question_href
from advisor.ui.parts.rows import Cell, cell, number_cell, table
from advisor.words import say

_HEADS = ("Change", "Then", "Status", "Quality kept", "Tokens/s", "")


def draw(answer: Answer) -> None:
    """Draw the tab."""
    with st.spinner("Asking again with more and less of everything …"):
        found = flips(answer)
    if not found:
        st.info("Nothing that was tried changes it: context, users, cards, host memory and wishes.")
        return
    rows = [(False, _cells(one)) for one in found]
    st.html(table("What would change the answer", _HEADS, rows))


def _cells(flip: Flip) -> list[Cell]:
    sentence = cell(say(flip.sentence, "page"))
    ask = Cell(go(question_href(flip.question.to_query()), "Try"))
    if flip.found is None:
        return [sentence, cell("nothing"), Cell(badge("does not fit")), number_cell("–"), number_cell("–"), ask]
    shown = flip.found.shown
    return [
        sentence,
        cell(f"{flip.found.entry.name} {shown.level}, {runtime_name(shown.plan.runtime)}"),
        Cell(badge(flip.found.status)),
        number_cell("–" if shown.kept is None else f"{min(shown.kept.typical, 100):.1f} %"),
        number_cell("–" if shown.tokens_per_s is None else rough(shown.tokens_per_s.typical)),
        ask,
    ]
