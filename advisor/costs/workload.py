"""From a load to machines: how long they compute, how many requests they work on at once, how many machines that takes.

A machine that works on N requests at once needs N x s for each of them, where s is its time for one request's share of
the work: tokens read / speed of reading + tokens written / speed of writing of all N together. A busiest hour that
brings L requests a second is served while L x s is at most 1. How many wait then, and how long, is that of a queue with
N places, requests that come at random, and N x s in a place on the mean (M/M/N): Erlang's C.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, Decimal

from advisor.costs.inputs import Load
from advisor.costs.money import decimal
from advisor.costs.price_rows import Case
from advisor.foundation.errors import InputError
from advisor.foundation.message import Message, fact
from advisor.foundation.ranges import Range

SECONDS_PER_HOUR = 3600
_FULLEST_STEP = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Throughput:
    """Tokens a second of one machine.

    `decode` counts generated tokens of one request that it has for itself, `together` those of `at_once` requests, the
    most it works on at the same time (None: no more than of one). `prefill` counts prompt tokens of one request, and
    `reading_together` those of all, where replicas read at the same time; None where reading the prompt is not counted,
    and where no more are read together than of one. `wait_s` is how long a request of the busiest hour may wait before
    it is begun, on the mean; None: as long as it takes.
    """

    decode: Range
    prefill: Range | None = None
    at_once: int = 1
    together: Range | None = None
    wait_s: float | None = None
    reading_together: Range | None = None

    def __post_init__(self) -> None:
        if self.decode.low <= 0 or (self.prefill is not None and self.prefill.low <= 0):
            raise InputError("A speed must be above 0 tokens a second to be costed.")

    @property
    def of_all(self) -> Range:
        """Generated tokens of all requests together; serving one after the other is always possible."""
        if self.together is None:
            return self.decode
        one, all_ = self.decode, self.together
        return Range(max(one.low, all_.low), max(one.typical, all_.typical), max(one.high, all_.high))


@dataclass(frozen=True, slots=True)
class Peak:
    """The busiest hour in the typical case.

    `machines` copies of the plan have `places` requests at once each, of which `taken` are under way on the mean (all
    machines together); `full` is the share of what they can serve. A request waits with probability `waiting`, and all
    of them `wait_s` on the mean; None where the queue grows as long as the hour lasts.
    """

    machines: int
    places: int
    taken: float
    full: float
    waiting: float
    wait_s: float | None


def seconds_per_token(speed: Throughput, load: Load, case: Case, alone: bool = True) -> Decimal:
    """How long one machine computes for an average token of the load, with a request alone or as many as it can take.

    Prompt tokens that its prefix cache does not have and generated tokens share the machine, so their times add up. The
    cheap case is the fast one.
    """
    read, write = seconds_of_token(speed, load, case, alone)
    return read + write


def seconds_of_token(speed: Throughput, load: Load, case: Case, alone: bool = True) -> tuple[Decimal, Decimal]:
    """The same, reading and writing apart."""
    output = (1 - load.input_share) / _at(speed.decode if alone else speed.of_all, case)
    read = load.input_share * load.read_percent / 100
    reading = speed.prefill if alone else speed.reading_together or speed.prefill
    return Decimal(0) if reading is None else read / _at(reading, case), output


def seconds_formula(speed: Throughput, load: Load, case: Case) -> tuple[Message, ...]:
    """How the seconds of a request alone are computed, in numbers that are added up."""
    output = fact("how_seconds", tokens=Decimal(load.tokens_out), speed=_at(speed.decode, case))
    if speed.prefill is None:
        return (output,)
    read = load.tokens_in * load.read_percent / 100
    return fact("how_seconds", tokens=read.normalize(), speed=_at(speed.prefill, case)), output


def tokens_per_machine(speed: Throughput, load: Load, case: Case) -> Decimal | None:
    """Tokens a month that one machine serves if its busiest hour is just as full as the wait allows; None if it
    computes nothing."""
    seconds = seconds_per_token(speed, load, case, alone=False)
    if seconds == 0:
        return None
    whole = decimal(load.hours_per_month) * SECONDS_PER_HOUR / (load.peak * seconds)
    return whole * _fullest(speed, load, case)


def tokens_one_by_one(speed: Throughput, load: Load, case: Case) -> Decimal | None:
    """Tokens a month for which one machine computes in every hour, a request at a time; None if it computes nothing."""
    seconds = seconds_per_token(speed, load, case)
    return None if seconds == 0 else decimal(load.hours_per_month) * SECONDS_PER_HOUR / seconds


def busiest_hour(speed: Throughput | None, load: Load, tokens: int) -> Peak | None:
    """What becomes of so many tokens a month in their busiest hour, spread over the machines that they need."""
    reach = None if speed is None else tokens_per_machine(speed, load, "typical")
    if speed is None or not reach:
        return None
    machines = max(1, int((tokens / reach).to_integral_value(ROUND_CEILING)))
    full = min(1.0, float(tokens / (machines * reach) * _fullest(speed, load, "typical")))
    waiting = _waiting(speed.at_once, full)
    wait = None if full >= 1 else waiting * _time_in_place(speed, load, "typical") / (speed.at_once * (1 - full))
    return Peak(machines, speed.at_once, machines * speed.at_once * full, full, waiting, wait)


def _fullest(speed: Throughput, load: Load, case: Case) -> Decimal:
    """How full a machine may be for the mean wait to be as short as wished, rounded down; 1 without a wish."""
    if speed.wait_s is None:
        return Decimal(1)
    place, low, high = _time_in_place(speed, load, case), 0.0, 1.0
    for _ in range(20):
        full = (low + high) / 2
        wait = _waiting(speed.at_once, full) * place / (speed.at_once * (1 - full))
        low, high = (full, high) if wait <= speed.wait_s else (low, full)
    return max(_FULLEST_STEP, Decimal(low).quantize(_FULLEST_STEP, ROUND_DOWN))


def _time_in_place(speed: Throughput, load: Load, case: Case) -> float:
    """Seconds a request is worked on while every place is taken."""
    tokens = load.tokens_in + load.tokens_out
    return float(seconds_per_token(speed, load, case, alone=False)) * tokens * speed.at_once


def _waiting(places: int, full: float) -> float:
    """Erlang's C: the share of requests that find every place taken, where the places are `full` on the mean."""
    if full >= 1:
        return 1.0
    offered, blocked = places * full, 1.0
    for place in range(1, places + 1):
        blocked = offered * blocked / (place + offered * blocked)
    return blocked / (1 - full * (1 - blocked))


def _at(speed: Range, case: Case) -> Decimal:
    """With six digits, so that what is computed with can be shown."""
    value = {"low": speed.high, "typical": speed.typical, "high": speed.low}[case]
    return Decimal(f"{value:.6g}")
