"""When garbage is collected: while nobody waits for a page, and rarely in between.

A collection looks at every object that is not frozen and stops all threads meanwhile. Counting references frees
nearly everything here; what is left are the circles of sessions that ended. What that frees goes back to the system.
"""

from __future__ import annotations

import asyncio
import gc
import time

from advisor.foundation.freed_memory import give_back, keep_few_arenas
from advisor.foundation.turns import PAGES

# Of the youngest, then how many rounds of those for one of the older ones.
_THRESHOLDS = (50_000, 20, 1_000)
_LOOK_EVERY_S = 2.0
_IDLE_S = 2.0
_AT_LEAST_EVERY_S = 300.0  # also where it is never quiet


def settle() -> None:
    """Once everything is loaded: that stays for good, and no later collection has to walk through it."""
    keep_few_arenas()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


async def collect_when_idle() -> None:
    """Collect after pages were drawn and a moment without any; runs until cancelled."""
    seen, collected = PAGES.ended, time.monotonic()
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        now = time.monotonic()
        if PAGES.ended == seen:
            continue
        quiet = PAGES.idle and now - PAGES.last_ended > _IDLE_S
        if quiet or now - collected > _AT_LEAST_EVERY_S:
            seen, collected = PAGES.ended, now
            gc.collect()
            give_back()
