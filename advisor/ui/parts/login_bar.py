"""Who is logged in, on top of every page; and what is said to whoever is not, or no longer."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

import streamlit as st

from advisor.access.roles import login_required
from advisor.foundation.errors import InputError
from advisor.ui import login
from advisor.ui.address import folder
from advisor.ui.gate import LOGIN, LOGOUT
from advisor.ui.parts.text import refusal


def let_in() -> bool:
    """Whether this run may draw a page; says what to do where it may not."""
    if not login_required():
        return True
    try:
        if login.may("see"):
            return True
        ended = login.here() is None
    except InputError as error:
        st.error(refusal(str(error)), icon=":material/lock:")
        return False
    st.title("LLM Fit Advisor", anchor=False)
    st.warning(
        "Your login has ended." if ended else "Your login has no right to look at this: ask whoever runs this server.",
        icon=":material/lock:",
    )
    to, name = (f"{LOGIN}?next={quote(_here(), safe='')}", "Log in again") if ended else (LOGOUT, "Log out")
    st.html(f'<p class="about"><a href="{escape(folder() + to, quote=True)}" target="_self">{name}</a></p>')
    return False


def _here() -> str:
    query = "&".join(f"{quote(key)}={quote(value)}" for key, value in st.query_params.items())
    return f"{folder()}/?{query}" if query else f"{folder()}/"


def person() -> str:
    """Their name and the way out as HTML; "" where nobody logs in."""
    found = login.here()
    if found is None:
        return ""
    out = escape(folder() + LOGOUT, quote=True)
    who = escape(found.email or found.name or "Logged in")
    return f'<span class="person"><span title="{who}">{who}</span><a href="{out}" target="_self">Log out</a></span>'
