"""Removing for good what expired: once at the start of the app, and then regularly for as long as it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from advisor.store.database import holds_nothing
from advisor.store.errors import StoreUnavailable
from advisor.store.shared_quotas import forget_past
from advisor.store.store import Store

PURGE_EVERY_S = 6 * 3600
_log = logging.getLogger(__name__)


def purge(find_store: Callable[[], Store]) -> int:
    """How many expired or deleted recommendations were removed for good; a store that is away is tried again later."""
    try:
        store = find_store()
        gone = 0 if holds_nothing(store.engine) else store.purge_expired()
        forget_past(store)
    except StoreUnavailable as error:
        _log.warning("Expired recommendations are not removed: %s", error)
        return 0
    if gone:
        _log.info("Removed %d expired recommendations", gone)
    return gone


async def purge_regularly(find_store: Callable[[], Store], every_s: float = PURGE_EVERY_S) -> None:
    """Purge now and every so many seconds, until cancelled; in a thread, so that nobody waits for the database."""
    while True:
        await asyncio.to_thread(purge, find_store)
        await asyncio.sleep(every_s)
