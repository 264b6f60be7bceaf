"""What a visitor asks, from one run of the page to the next: the link holds it, inputs change it.

Inputs are not bound to the URL one by one: most of them are not drawn most of the time, and one that is not drawn
would take its value along. A click changes the link as a whole, and the next run reads it.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from advisor.foundation.errors import InputError
from advisor.question.question import FIELDS
from advisor.ui.link import PAGE_KEYS, ReadLink, Written, changed_link, meaning, read_link

_HELD = "held_link"
_CHANGED = "link_changed"
_SEEN = "seen_query"  # what the browser shows, as far as is known here
_STALE = "stale_queries"  # what it may still show, since it has not heard of the last changes


def read() -> ReadLink:
    """What is asked now. After an input's change that is what it made of the link, whatever the browser still shows."""
    if st.session_state.pop(_CHANGED, False):
        return ReadLink(st.session_state[_HELD])
    query = {key: st.query_params.get_all(key) for key in st.query_params}
    found = read_link(query)
    st.session_state[_HELD], st.session_state[_SEEN], st.session_state[_STALE] = found.written, _asking(query), []
    return found


def written() -> Written:
    """The keys of the link as they were last read or changed."""
    held: Written = st.session_state.get(_HELD, {})
    return held


def value(key: str) -> Any:
    """What a key of the question is, by its own type; its default where nobody has said it."""
    given = written().get(key)
    if given is None:
        return FIELDS[key].default
    try:
        return meaning(key, given)
    except InputError:
        return FIELDS[key].default


def change(**changes: Any) -> None:
    """Ask something else: keys by value, None takes one back to its default. For callbacks only.

    Who goes back or follows a link before the inputs show the last answer sends what they showed before along:
    nobody has changed that, and nothing is asked.
    """
    shown = _asking({key: st.query_params.get_all(key) for key in st.query_params})
    if shown == st.session_state.get(_SEEN, shown) or shown in st.session_state.get(_STALE, ()):
        ask(changed_link(written(), changes))


def ask(link: Written) -> None:
    """Ask what these keys say, and nothing else. For callbacks only."""
    st.session_state[_HELD] = link
    st.session_state[_CHANGED] = True
    st.session_state[_STALE] = [*st.session_state.get(_STALE, ()), st.session_state.get(_SEEN, {})]
    st.session_state[_SEEN] = {key: [given] for key, given in link.items()}
    kept = {key: st.query_params.get_all(key) for key in st.query_params if key in PAGE_KEYS}
    st.query_params.from_dict(kept | dict(link))


def show(**keys: str | None) -> None:
    """Set or take out keys of the page, such as the open tab. For callbacks only."""
    for key, given in keys.items():
        if given is not None:
            st.query_params[key] = given
        elif key in st.query_params:
            del st.query_params[key]
    st.session_state[_CHANGED] = True


def _asking(query: dict[str, list[str]]) -> dict[str, list[str]]:
    return {key: given for key, given in query.items() if key not in PAGE_KEYS}
