"""What one machine does with a load: how fast it serves a request alone, and how many it works on at once.

The users a plan was made for are the memory's, not the load's: a load of short requests takes as many at once as have
room in the memory that the cache has and could have, down to where each is still written as fast as is wished.
"""

from __future__ import annotations

from dataclasses import dataclass

from advisor.answer.policy import READING_TOKENS_PER_S
from advisor.costs.inputs import Load
from advisor.costs.workload import Throughput
from advisor.sizing.plan import Plan
from advisor.speed import Speed

MOST_AT_ONCE = 64  # of a replica: beyond it no measurement says how fast a machine is


@dataclass(frozen=True)
class Wish:
    """How fast each request is to be written (tokens/s), when its first token is to come (s), and how many requests a
    server is told to work on at once; None: no matter.
    """

    tokens_per_s: float | None = None
    first_token_s: float | None = None
    at_once: int | None = None


def throughput_of(speed: Speed | None, plan: Plan, load: Load, wish: Wish) -> Throughput | None:
    """What a plan's speed means for the number of machines; None where it is not known."""
    if speed is None:
        return None
    read = speed.prefill_tokens_per_s
    if speed.decode_tokens_per_s is None:  # an encoder reads all that is asked of it
        return None if read is None else Throughput(decode=read, prefill=read)
    alone = speed if speed.load.users == 1 else speed.serving(1)
    decode = alone.decode_tokens_per_s or speed.decode_tokens_per_s
    least = READING_TOKENS_PER_S if wish.tokens_per_s is None else wish.tokens_per_s
    at_once, together = 1, None
    replicas = speed.replicas
    # What a host computes of a batch is not in the evidence.
    places = 1 if plan.placement.offloads else min(MOST_AT_ONCE * replicas, _places(plan, load))
    if plan.kv_tokens is not None and wish.at_once is not None:  # of servers that take all of a GPU's memory
        places = min(places, wish.at_once * replicas)
    most = 1 << max(0, places.bit_length() - 1)  # a power of two: no byte of memory more or less tips it
    while most > 1:
        several = alone.serving(most)
        total, each = several.total_decode_tokens_per_s, several.decode_tokens_per_s
        # A request that a replica has for itself is as fast as it gets, fast enough or not.
        if total is not None and each is not None and (each.typical >= least or most <= replicas):
            at_once, together = most, total
            break
        most //= 2
    wait = None
    if wish.first_token_s is not None and alone.time_to_first_token_s is not None:
        # What an idle machine keeps a reader waiting for is no matter of how full it is.
        wait = max(0.0, wish.first_token_s - alone.time_to_first_token_s.typical) or None
    reading = None if read is None or replicas == 1 else read.scaled(replicas)
    return Throughput(decode, read, at_once, together, wait, reading)


def _places(plan: Plan, load: Load) -> int:
    """How many requests of the load have room at once, in the cache and in what is free beside it."""
    held = plan.requests_held(max(1, load.tokens_in + load.tokens_out))
    return MOST_AT_ONCE if held is None else max(1, int(held))
