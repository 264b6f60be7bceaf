"""The question bar: what most people change, on top of every page; everything else is behind "More"."""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode

import streamlit as st

from advisor.question.configuration import CUSTOM_MACHINE
from advisor.ui import state
from advisor.ui.asking import machine_names, model_name
from advisor.ui.link import MACHINE_KEYS, for_your_machine, needs_memory
from advisor.ui.parts import more_inputs
from advisor.ui.parts.fields import choice, number
from advisor.ui.parts.pickers import machine_picker, model_picker
from advisor.ui.parts.placement_inputs import takes_several
from advisor.ui.parts.runtime_inputs import frontends_own
from advisor.ui.parts.text import tokens, users

_CONTEXTS = (4096, 8192, 16384, 32768, 65536, 131072)
_GOALS = {
    "balanced": "Balanced",
    "quality": "Best quality",
    "speed": "Fastest",
    "many-users": "Many users",
    "cheapest": "Cheapest",
}
_GOAL_HELP = (
    "What to make best among what runs well. Balanced: the least loss of quality that is not noticeably slow. No goal "
    "recommends what is visibly damaged while something better runs."
)
# Drawn for phones, where the bar is folded; an element of its own, so that a new question does not fold it again.
_FOLD = '<details class="bar-fold"><summary>Change the question</summary></details>'


def draw() -> None:
    """Draw it."""
    machine_id, runtime = str(state.value("machine")), str(state.value("runtime"))
    with st.container(key="bar_folded"):
        st.html(f'<p class="bar-words">{escape(in_words())}</p>')
        st.html(_FOLD)
    with st.container(key="bar"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            model_picker(str(state.value("model")))
            machine_picker(machine_id, int(state.value("gpus")))
            _memory(machine_id)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            _context(frontends_own(runtime))
            number(
                "users",
                "Users at once",
                step=1,
                left_to=frontends_own(runtime),
                help="Each has a context of its own.",
                width=130,
            )
            choice("goal", "Goal", tuple(_GOALS), names=_GOALS, help=_GOAL_HELP, width=170)
            more_inputs.draw(machine_id, runtime)
            st.html(_my_machine())


def _my_machine() -> str:
    """Keep this machine in the browser, take the kept one, forget it (page.js), or have it recognized."""
    held = {key: given for key, given in state.written().items() if key in MACHINE_KEYS}
    return (
        '<div class="mine"><a hidden data-kept-machine="' + " ".join(MACHINE_KEYS) + '" href="./"></a>'
        f'<button type="button" data-keep-machine="{escape(urlencode(held), quote=True)}" '
        f'data-name="{escape(_machine_in_words(), quote=True)}">Keep as my machine</button>'
        '<button type="button" hidden data-forget-machine="1">Forget it</button>'
        f'<a target="_self" href="./?{escape(for_your_machine(state.written()), quote=True)}">Recognize mine</a></div>'
    )


def in_words() -> str:
    """The question on one line: "Llama 3.3 70B Instruct on 2 x GeForce RTX 3090 · 8,192 tokens · 1 user"."""
    asked = f"{tokens(state.value('context'))} · {users(state.value('users'))}"
    return f"{model_name(str(state.value('model')))} on {_machine_in_words()} · {asked}"


def _machine_in_words() -> str:
    chosen, gpus = str(state.value("machine")), int(state.value("gpus"))
    return f"{gpus} x {machine_names()[chosen]}" if gpus > 1 else machine_names()[chosen]


def _memory(machine_id: str) -> None:
    if needs_memory(machine_id):
        what = "Memory (GiB)" if machine_id == CUSTOM_MACHINE else "RAM (GiB)"
        number("memory_gib", what, step=8.0, help="As the driver or the system reports it.", width=140)
    if not takes_several(machine_id):
        return
    number("gpus", "Cards", step=1, help="Equal cards in one computer.", width=110)
    number(
        "host_memory_gib",
        "Host RAM (GiB)",
        step=8.0,
        placeholder="not given",
        help="RAM beside the cards. With it, part of the model may lie there.",
        width=150,
    )


def _context(left_to: str | None) -> None:
    """Context lengths to tap; the exact number is behind "More"."""
    held = state.value("context") if "context" in state.written() or left_to is None else None
    st.session_state["in_usual_context"] = held
    st.pills(
        "Context per user (tokens)",
        sorted({*_CONTEXTS, *(() if held is None else (held,))}),
        format_func=_short,
        key="in_usual_context",
        on_change=_take_context,
        help="Prompt and answer together. Any other number: behind More."
        + (f" Nothing chosen: {left_to}." if left_to else ""),
    )


def _short(count: int) -> str:
    if count % 1024:
        return f"{count:,}"
    return f"{count // 1024}k" if count % 1024**2 or not count else f"{count // 1024**2}M"


def _take_context() -> None:
    state.change(context=st.session_state["in_usual_context"])
