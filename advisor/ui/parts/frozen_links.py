"""Frozen recommendations: the key of their links, and the store behind them."""

from __future__ import annotations

from functools import lru_cache

from advisor.store import Store, open_store
from advisor.store.database import default_url

FROZEN_KEY = "frozen"  # of a link: the id of what it opens


def store() -> Store:
    """The store of the database that is set up; raises StoreUnavailable where its address makes no sense.

    Kept by the process, not by Streamlit's caches, which any visitor may empty.
    """
    return _store(default_url())


@lru_cache(maxsize=4)
def _store(url: str) -> Store:
    return open_store(url)
