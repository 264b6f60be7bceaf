"""From a load to machines: how long they compute, how many the busiest hour needs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from advisor.costs.inputs import Load
from advisor.costs.money import decimal
from advisor.costs.price_tables import Case
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.foundation.ranges import Range

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Throughput:
    """Tokens a second of one machine at the planned number of users, all users together.

    `decode` counts generated tokens, `prefill` prompt tokens; None where reading the prompt is not counted.
    """

    decode: Range
    prefill: Range | None = None

    def __post_init__(self) -> None:
        if self.decode.low <= 0 or (self.prefill is not None and self.prefill.low <= 0):
            raise InputError("A speed must be above 0 tokens a second to be costed.")


def seconds_per_token(speed: Throughput, load: Load, case: Case) -> Decimal:
    """How long one machine computes for an average token of the load.

    Prompt tokens and generated tokens share the machine, so their times add up. The cheap case is the fast one.
    """
    output = (1 - load.input_share) / _at(speed.decode, case)
    return output if speed.prefill is None else output + load.input_share / _at(speed.prefill, case)


def seconds_formula(speed: Throughput, load: Load, case: Case) -> tuple[Message, ...]:
    """How a request's seconds are computed, in numbers that are added up."""
    output = fact("how_seconds", tokens=load.tokens_out, speed=_at(speed.decode, case))
    if speed.prefill is None:
        return (output,)
    return fact("how_seconds", tokens=load.tokens_in, speed=_at(speed.prefill, case)), output


def tokens_per_machine(speed: Throughput, load: Load, case: Case) -> Decimal | None:
    """Tokens a month that one machine serves if its busiest hour is just full; None if it computes nothing."""
    seconds = seconds_per_token(speed, load, case)
    if seconds == 0:
        return None
    return decimal(load.hours_per_month) * SECONDS_PER_HOUR / (decimal(load.peak_factor) * seconds)


def _at(speed: Range, case: Case) -> Decimal:
    """With six digits, so that what is computed with can be shown."""
    value = {"low": speed.high, "typical": speed.typical, "high": speed.low}[case]
    return Decimal(f"{value:.6g}")
