"""The page for doubters: rules of thumb and claims put to the test, how right the figures are, how old the data is."""

from __future__ import annotations

import streamlit as st

from advisor.ui.asking import Reply
from advisor.ui.parts import accuracy_view, ages_view
from advisor.ui.views import article, rules

RULES, CLAIMS, ACCURACY, AGES = (
    "Rules of thumb",
    "The article's claims, tested",
    "How right we are",
    "How old the data is",
)


def draw(reply: Reply, first: str = RULES) -> None:
    """Draw the page, opened at the tab `first`. Only the open tab is worked out."""
    st.title("How we know", anchor=False)
    tabs = st.tabs((RULES, CLAIMS, ACCURACY, AGES), default=first, key="how_we_know", on_change="rerun")
    opened = next((place for place, tab in enumerate(tabs) if tab.open), 0)
    with tabs[opened]:
        match opened:
            case 0:
                rules.draw(reply)
            case 1:
                article.draw()
            case 2:
                accuracy_view.draw()
            case _:
                ages_view.draw()
