"""Answer, the first page: the decision, how to run it, what else there is; details in tabs drawn when opened."""

from __future__ import annotations

from html import escape
from importlib import import_module

import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.verdict import leading
from advisor.ui import state, view_cache
from advisor.ui.address import question_link
from advisor.ui.asking import Reply
from advisor.ui.parts import model_input, published, run_card, wrong_figure
from advisor.ui.parts.choice_cards import cards
from advisor.ui.parts.html import go, question_href, words
from advisor.ui.parts.text import refusal
from advisor.ui.parts.verdict_card import card
from advisor.words import say_all

TABS = {
    "Memory": "memory",
    "Levels": "levels",
    "Speed": "speed",
    "Quality": "quality",
    "Cost": "cost",
    "What would change it": "changes",
    "Files": "files",
    "Sources": "sources",
}
# Questions that show what this is for; the article is the one that the rules of thumb come from.
EXAMPLES = {
    "The article's 70B on two A100": "model=llama-3.1-70b-instruct&machine=a100-sxm4-80gb&gpus=2",
    "A 24 GB card": "model=qwen3-32b&machine=rtx-4090",
    "A 120B mixture of experts and 64 GiB of RAM": "model=gpt-oss-120b&machine=rtx-5090&host_memory_gib=64",
    "20 users": "model=llama-3.1-8b-instruct&machine=nvidia-l40s&users=20",
    "A Mac": "model=llama-3.3-70b-instruct&machine=apple-m4-max-40c-128gb",
}


def draw(reply: Reply) -> None:
    """Draw the page."""
    answer = reply.answer
    if answer is None:
        _no_answer(reply)
        return
    key = ("first screen", answer.question.to_query(answer.question.given), answer.today, answer.measured_here)
    st.html(view_cache.get(key, lambda: first_screen(answer)))
    tabs = st.tabs(list(TABS), key="tab_open", on_change=_keep_tab, default=_open_tab())
    for tab, name in zip(tabs, TABS.values(), strict=True):
        if tab.open:
            with tab:
                import_module(f"advisor.ui.tabs.{name}").draw(answer)
    # Not with the first screen, which is kept: the link holds the address that this visitor uses.
    st.html(wrong_figure.fold(answer, question_link(answer.question.to_query())))


def first_screen(answer: Answer) -> str:
    """The decision, how to run it and the choices as one piece of HTML."""
    first = f'<div class="first">{card(answer)}{run_card.card(answer)}</div>'
    return "".join((first, cards(answer), _notes(answer), _about(), _below(answer)))


def _notes(answer: Answer) -> str:
    notes = "".join(f"<li>{words(note)}</li>" for note in say_all(answer.notes, "page"))
    return f'<ul class="notes" aria-label="Notes">{notes}</ul>' if notes else ""


def _below(answer: Answer) -> str:
    """Whom the tabs are about, where that is another model than the headline's."""
    if leading(answer) is None:
        return ""
    return f'<p class="about">{escape(f"Below: {answer.entry.name}, which was asked for.")}</p>'


def _about() -> str:
    """What this is, and questions to begin with."""
    examples = " · ".join(go(question_href(query), name) for name, query in EXAMPLES.items())
    return (
        '<p class="about">Which open model runs on which machine, how well and at what cost, from real file sizes. '
        f"Try: {examples}</p>"
    )


def _open_tab() -> str:
    asked = st.query_params.get("tab", "")
    return asked if asked in TABS else next(iter(TABS))


def _keep_tab() -> None:
    opened = st.session_state.get("tab_open")
    state.show(tab=None if opened == next(iter(TABS)) else opened)


def _no_answer(reply: Reply) -> None:
    """Why there is none, and what is known even so; a model that is still being read comes by itself."""
    st.title("No answer yet" if reply.waiting else "There is no answer", anchor=False)
    if reply.waiting:
        st.info(refusal(reply.error or ""), icon=":material/hourglass_top:")
        model_input.wait(reply.model)
        return
    st.error(refusal(reply.error or "There is no answer."), icon=":material/error:")
    model_input.ways_on(reply)
    if reply.found is not None and reply.found.file is not None:
        published.draw(reply.found, reply.found.model)
    st.html(_about())
