"""One's own frozen recommendations: the store behind them, and who "oneself" is."""

from __future__ import annotations

from functools import lru_cache

import streamlit as st

from advisor.store import Store, new_owner, open_store
from advisor.store.database import default_url

FROZEN_KEY = "frozen"  # of a link: the id of what it opens
OWNER_COOKIE = "llm_fit_advisor_owner"  # set by the server, for the server alone (see server.py)
_OWNER_LENGTHS = range(16, 201)


def store() -> Store:
    """The store of the database that is set up; raises StoreUnavailable where its address makes no sense.

    Kept by the process, not by Streamlit's caches, which any visitor may empty.
    """
    return _store(default_url())


@lru_cache(maxsize=4)
def _store(url: str) -> Store:
    return open_store(url)


def owner() -> tuple[str, bool]:
    """The secret by which this browser lists and deletes what it froze, and whether the browser will keep it.

    Without cookies it lasts as long as this visit.
    """
    kept = st.context.cookies.get(OWNER_COOKIE, "")
    if len(kept) in _OWNER_LENGTHS:
        return kept, True
    if "owner" not in st.session_state:
        st.session_state["owner"] = new_owner()
    return str(st.session_state["owner"]), False
