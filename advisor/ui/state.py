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


def read() -> ReadLink:
    """What is asked now. After an input's change that is what it made of the link, whatever the browser still shows."""
    if st.session_state.pop(_CHANGED, False):
        return ReadLink(st.session_state[_HELD])
    found = read_link({key: st.query_params.get_all(key) for key in st.query_params})
    st.session_state[_HELD] = found.written
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
    """Ask something else: keys by value, None takes one back to its default. For callbacks only."""
    ask(changed_link(written(), changes))


def ask(link: Written) -> None:
    """Ask what these keys say, and nothing else. For callbacks only."""
    st.session_state[_HELD] = link
    st.session_state[_CHANGED] = True
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
