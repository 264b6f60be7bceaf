"""What a visitor sees while a whole catalogue is looked through."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from advisor.foundation.errors import InputError
from advisor.question.question import LANGUAGE_KEY
from advisor.ui.parts.text import plain, refusal
from advisor.ui.sweeps import Presence, Progress
from advisor.ui.tongue import follow
from advisor.ui.visitor import presence

Found = TypeVar("Found")


def found_or_progress(look: Callable[[Presence], Found | Progress], what: str) -> Found | None:
    """What was found; None while it is looked for, which is shown, or where it cannot be, which is said."""
    try:
        found = look(presence())
    except InputError as error:
        st.error(refusal(str(error)), icon=":material/error:")
        return None
    if isinstance(found, Progress):
        _wait(look, what)
        return None
    return found


@st.fragment(run_every="0.4s")
def _wait(look: Callable[[Presence], object], what: str) -> None:
    """How far it is; the page is drawn again as soon as it is done."""
    follow(st.query_params.get(LANGUAGE_KEY, ""))  # a fragment runs in a thread of its own
    try:
        found = look(presence())
    except InputError:
        found = None  # which the page says
    if not isinstance(found, Progress):
        st.rerun()
    elif found.before > 1:
        st.progress(0.0, text=plain(f"{what}: {found.before - 1} others are looked at first …"))
    else:
        share = found.done / found.total if found.total else 0.0
        st.progress(share, text=plain(f"{what}: {found.done:,} of {found.total:,} …" if found.total else f"{what} …"))
