"""How many requests have room in caches that are set aside for each of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from advisor.sizing.plan import Plan

_MOST = 64  # beyond it no measurement says how fast one process is


def held_where_set_aside(plan: Plan, cache_of: Callable[[int], int]) -> float:
    """At most 64, in what the caches of a plan have and could have; `cache_of` is what so many take, in bytes.

    Places share a larger cache as they share that of the plan.
    """
    holders = [holder for holder in (*plan.devices, plan.host) if holder.kv_cache_bytes]
    whole = sum(holder.kv_cache_bytes for holder in holders)
    rooms = (whole * (1 + (holder.free_bytes or 0) / holder.kv_cache_bytes) for holder in holders)
    return float(bisect_right(range(1, _MOST + 1), min(rooms, default=float("inf")), key=cache_of))
