"""What a search found: the catalogue's models first, then the Hub's, which come when they come."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from advisor.foundation.errors import InputError
from advisor.foundation.units import format_count
from advisor.models.catalogue import catalogue
from advisor.ui.asking import matching_models
from advisor.ui.parts.text import plain, small

_WORDS = "searched_words"
_ORDER = "search_order"
_FOUND = "search_found"
_MOST_OF_CATALOGUE = 5
_ORDERS = {"downloads": "Downloads", "trending": "Trending"}

if TYPE_CHECKING:  # it brings the Hub's library along
    from advisor.sources.search import Hit

Choose = Callable[[str | None], None]


def open_for(words: str) -> None:
    """Search for `words`; "" is for what is popular. For callbacks only."""
    st.session_state[_WORDS] = words
    st.session_state[_ORDER] = "downloads" if words else "trending"


def close() -> None:
    """For callbacks only."""
    st.session_state.pop(_WORDS, None)


def place() -> DeltaGenerator | None:
    """Draw the frame of the results and send the question to the Hub, so that the page need not wait for it."""
    words = st.session_state.get(_WORDS)
    if words is None:
        return None
    with st.container(border=True, key="search"):
        st.markdown(f"**Models for “{plain(words)}”**" if words else "**Popular on the Hub**")
        st.segmented_control(
            "Order on the Hub", list(_ORDERS), format_func=_ORDERS.__getitem__, key=_ORDER, required=True
        )
        slot = st.container()
        st.button("Close", on_click=close, key="close_search")
    from advisor.sources.search import HUB_SEARCH, Search

    with suppress(InputError):  # said when the results are asked for
        HUB_SEARCH.start(Search(words, st.session_state[_ORDER]))
    return slot


def fill(slot: DeltaGenerator, choose: Choose) -> None:
    """Draw the results, after everything else on the page."""
    from advisor.sources.search import HUB_SEARCH, Search

    search = Search(st.session_state[_WORDS], st.session_state[_ORDER])
    found = dict.fromkeys(matching_models(search.words)[:_MOST_OF_CATALOGUE], "in the catalogue")
    hits: tuple[Hit, ...] = ()
    trouble = ""
    with slot:
        try:
            with st.spinner("Searching the Hub …"):
                hits = HUB_SEARCH.get(search)
        except InputError as error:
            trouble = str(error)
        else:
            for hit in hits:
                words = [f"{format_count(hit.downloads)} downloads", "GGUF" * hit.gguf, "gated" * hit.gated]
                found[hit.repository] = " · ".join(word for word in words if word)
        if found:
            st.session_state[_FOUND] = None
            st.radio(
                "Choose a model",
                list(found),
                index=None,
                format_func=lambda name: plain(catalogue()[name].name if name in catalogue() else name),
                captions=list(found.values()),
                key=_FOUND,
                on_change=lambda: choose(st.session_state[_FOUND]),
                label_visibility="collapsed",
            )
        if trouble:
            st.markdown(small(plain(trouble)))
            st.button("Search again", on_click=HUB_SEARCH.forget, args=(search,), key="search_again")
        elif not hits:
            st.markdown(small("The Hub has no language model by these words."))
