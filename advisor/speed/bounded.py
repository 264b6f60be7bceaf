"""A speed bounded by what else is known: by another plan that cannot be slower, by measurements of another runtime."""

from __future__ import annotations

from dataclasses import replace

from advisor.foundation.ranges import Range
from advisor.speed.estimate import Speed


def no_faster(speed: Speed, than: Speed) -> Speed:
    """`speed`, its rate of writing lowered so that its typical value is at most that of the other."""
    decode, most = speed.decode_tokens_per_s, than.decode_tokens_per_s
    if decode is None or most is None or decode.typical <= most.typical:
        return speed
    ratio = most.typical / decode.typical
    total, first = speed.total_decode_tokens_per_s, speed.time_to_first_token_s
    if first is not None:  # which ends with one step of writing
        longer = [one + (1 / ratio - 1) / rate for one, rate in _in_step(first, decode)]
        first = Range(*longer)
    return replace(
        speed,
        decode_tokens_per_s=decode.scaled(ratio),
        total_decode_tokens_per_s=None if total is None else total.scaled(ratio),
        time_to_first_token_s=first,
    )


def beginning_at(speed: Speed, share: float) -> Speed:
    """`speed`, the low end of its rate of writing `share` of what it was."""
    decode, total, first = speed.decode_tokens_per_s, speed.total_decode_tokens_per_s, speed.time_to_first_token_s
    if decode is None or share == 1:
        return speed
    if first is not None:
        first = replace(first, high=first.high + (1 / share - 1) / decode.low)
    return replace(
        speed,
        decode_tokens_per_s=replace(decode, low=decode.low * share),
        total_decode_tokens_per_s=None if total is None else replace(total, low=total.low * share),
        time_to_first_token_s=first,
    )


def _in_step(wait: Range, rate: Range) -> tuple[tuple[float, float], ...]:
    """The least wait goes with the highest rate."""
    return (wait.low, rate.high), (wait.typical, rate.typical), (wait.high, rate.low)
