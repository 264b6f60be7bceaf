"""What would change the answer: each line is a question that was asked again."""

from __future__ import annotations

import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.flips import Flip, flips
from advisor.answer.status import Status
from advisor.foundation.numbers import rough
from advisor.ui.parts.explore_html import skippable
from advisor.ui.parts.html import badge, go, question_href
from advisor.ui.parts.rows import Cell, cell, number_cell, table
from advisor.words import say

_HEADS = ("Change", "Then", "Status", "Quality kept", "Tokens/s", "Ask it")


def draw(answer: Answer) -> None:
    """Draw the tab."""
    with st.spinner("Asking again with more and less of everything …"):
        found = flips(answer)
    if not found:
        st.info("Nothing that was tried changes it: context, users, cards, host memory and wishes.")
        return
    rows = [(False, _cells(one)) for one in found]
    st.html(skippable(table("What would change the answer", _HEADS, rows), "after-changes"))


def _cells(flip: Flip) -> list[Cell]:
    change, _, then = say(flip.sentence, "page").partition(": ")
    first = cell(change), cell(then[:1].upper() + then[1:])
    ask = Cell(go(question_href(flip.question.to_query()), "Try"))
    if flip.found is None or flip.found.chosen is None:
        status: Status = "does not fit" if flip.found is None else flip.found.status
        return [*first, Cell(badge(status)), number_cell("–"), number_cell("–"), ask]
    shown = flip.found.shown
    return [
        *first,
        Cell(badge(flip.found.status)),
        number_cell("–" if shown.kept is None else f"{min(shown.kept.typical, 100):.1f} %"),
        number_cell("–" if shown.tokens_per_s is None else rough(shown.tokens_per_s.typical)),
        ask,
    ]
