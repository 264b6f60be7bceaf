"""The commands that run a plan."""

from __future__ import annotations

import streamlit as st

from advisor.answer.answer import Answer
from advisor.answer.candidate import Candidate
from advisor.answer.launching import launch_of
from advisor.foundation.errors import InputError
from advisor.runtimes.commands import commands
from advisor.runtimes.registry import runtime_by
from advisor.ui.parts.text import plain, refusal, small
from advisor.words import say, say_all


def draw(answer: Answer, shown: Candidate) -> None:
    """Draw them, each with a button to copy it."""
    _defaults(answer)
    try:
        found = commands(launch_of(answer, shown))
    except InputError as error:
        st.markdown(refusal(str(error)))
        return
    for number, command in enumerate(found):
        st.markdown(f"**{plain(say(command.title))}**")
        if command.text:
            st.code(command.text, language="sh", wrap_lines=True)
        if command.notes:
            st.markdown(small(plain(" ".join(say_all(command.notes, "page")))))
        if number == 0 and not shown.plan.fits:
            st.markdown(small("It does not fit with the safety margin: expect it to fail or to swap."))


def _defaults(answer: Answer) -> None:
    """What Ollama or LM Studio choose where they are not told otherwise."""
    frontend = runtime_by(answer.runtime).frontend
    if frontend is None:
        return
    with st.expander(f"What {runtime_by(answer.runtime).name} does by default"):
        for option, default in frontend.defaults.items():
            st.markdown(f"- **{plain(option)}**: {plain(default.value)}. {plain(say(default.meaning))}")
        for note in frontend.notes:
            st.markdown(small(plain(say(note))))
        st.markdown(small(f"From [its documentation]({frontend.source}), {frontend.as_of}."))
