"""The address under which people reach this page, for links that leave it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import streamlit as st

from advisor.foundation.environment import environment
from advisor.ui.tongue import with_language

_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def page_address() -> str:
    """ "https://advisor.example.org": the one set in LLM_FIT_ADVISOR_URL, else the one this visitor used.

    Without a slash at the end; empty where neither is known, which leaves links that begin with a slash.
    """
    chosen = environment().url.rstrip("/")
    if chosen.startswith(("https://", "http://")):
        return chosen
    used = urlsplit(st.context.url or "")
    if not used.netloc:
        return ""
    # What the browser shows ends with the path of the page, which is no part of a link.
    return f"{used.scheme}://{used.netloc}{folder()}"


def address_for(scheme: str, host: str, above: str = "") -> str:
    """The same for a request without a session: by its scheme, its `Host` and the folder of the server above."""
    chosen = environment().url.rstrip("/")
    if chosen.startswith(("https://", "http://")):
        return chosen
    # Whoever asks writes that header: only what is a name and a port goes into a page.
    return f"{scheme}://{host}{above.rstrip('/') or folder()}" if _HOST.fullmatch(host) else ""


def folder() -> str:
    """ "/advisor" where the page lives in a folder of its server, else nothing."""
    path = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""


def question_link(query: str) -> str:
    """The link that opens this question."""
    return f"{page_address()}/?{with_language(query)}"


def manager_link(query: str) -> str:
    """The link that opens the report about this question, to read and to print."""
    return f"{page_address()}/r?{with_language(query)}"


def frozen_link(id: str) -> str:
    """The link that opens a frozen recommendation."""
    return f"{page_address()}/s/{id}"
