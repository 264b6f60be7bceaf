"""What a visitor sees while too many ask: why, and that the page tries again by itself."""

from __future__ import annotations

import streamlit as st

from advisor.foundation.turns import PAGES, TooManyWaiting
from advisor.ui.one_at_a_time import MOST_WAITING
from advisor.ui.parts.text import refusal


def draw(error: TooManyWaiting) -> None:
    """Draw it; the page is drawn as soon as there is room again."""
    st.warning(
        f"{refusal(str(error))} Your page is shown as soon as there is room; the link keeps your question.",
        icon=":material/hourglass_top:",
    )
    _try_again()


@st.fragment(run_every="3s")
def _try_again() -> None:
    if st.session_state.get("overloaded") and PAGES.waiting <= MOST_WAITING:
        st.session_state["overloaded"] = False
        st.rerun()
    st.session_state["overloaded"] = True
