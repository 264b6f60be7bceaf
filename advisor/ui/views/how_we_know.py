"""The page for doubters: rules of thumb and claims put to the test, how right the figures are, how old the data is."""

from __future__ import annotations

import streamlit as st

from advisor.ui import state
from advisor.ui.asking import Reply
from advisor.ui.parts import accuracy_view, ages_view
from advisor.ui.views import article, rules

RULES = "Rules of thumb"
CLAIMS = "The article's claims, tested"
ACCURACY = "How right we are"
AGES = "How old the data is"
TABS = (RULES, CLAIMS, ACCURACY, AGES)
_KEY = "how_we_know"


def draw(reply: Reply) -> None:
    """Draw the page. Only the open tab is worked out; the link remembers which."""
    st.title("How we know", anchor=False)
    asked = st.query_params.get("tab", "")
    first = asked if asked in TABS else RULES
    for name, tab in zip(TABS, st.tabs(TABS, default=first, key=_KEY, on_change=_keep_tab), strict=True):
        if tab.open:
            with tab:
                _draw(name, reply)


def _draw(name: str, reply: Reply) -> None:
    if name == RULES:
        rules.draw(reply)
    elif name == CLAIMS:
        article.draw()
    elif name == ACCURACY:
        accuracy_view.draw()
    else:
        ages_view.draw()


def _keep_tab() -> None:
    opened = st.session_state.get(_KEY)
    state.show(tab=None if opened == RULES else opened)
