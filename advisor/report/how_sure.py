"""How sure a figure of the first page is, of when it is, and what it means to whoever uses it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from advisor.answer.candidate import Candidate
from advisor.answer.policy import ALL_KEPT, GOOD_PERCENT, READING_TOKENS_PER_S, VISIBLE_POINTS
from advisor.costs.money import EACH, GPU_HOUR, HOUR, MILLION_TOKENS, UsedPrice
from advisor.costs.options import Option
from advisor.words import say, told, written_days, written_month

_HARDLY, _STANDS_OUT = 99.0, 90.0  # percent kept (`quality.tasks.DEMANDS`)
_AS_FAST = 1.5  # times reading, up to which it is "about as fast"
_DAY = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d))?")
_MOVING = (EACH, HOUR, GPU_HOUR, MILLION_TOKENS)  # what machines, their hours and tokens are sold by


def of_quality(shown: Candidate) -> str:
    """What the figure of quality rests on."""
    quality = shown.quality
    if quality.measured_here:
        return told("measured here")
    if quality.kept is not None and quality.kept.low == quality.kept.high:
        return told("the original itself")
    if quality.of_original:
        return told("estimated: the original itself, with a smaller KV cache")
    if quality.basis == "measured":
        return told("measured elsewhere")
    if quality.basis == "transferred":
        return told("estimated, from measurements of its family")
    return told("estimated, from other models")


def of_speed(shown: Candidate) -> str:
    """What the figure of speed rests on."""
    if shown.measured_speeds:
        return told("measured here")
    match None if shown.speed is None else shown.speed.basis:
        case "measured":
            return told("measured elsewhere")
        case "scaled":
            return told("estimated, from this model at other levels")
        case _:
            return told("estimated, from similar devices")


def of_money(option: Option) -> str:
    """Whose prices an option rests on."""
    own = [price.users_own for price in option.prices if price.unit in _MOVING]
    if own and all(own):
        return told("estimated, from your prices")
    if any(own):
        return told("estimated, from published prices and yours")
    return told("estimated, from published prices")


def day_of_quality(shown: Candidate) -> str:
    """The newest evidence that the figure of quality rests on."""
    return _newest(row.as_of for row in shown.quality.evidence)


def day_of_speed(shown: Candidate) -> str:
    """The newest measurement that the figure of speed rests on."""
    return "" if shown.speed is None else _newest(row.date for row in shown.speed.measurements)


def days_of_money(option: Option) -> str:
    """From when the prices of an option are: of machines, their hours, or tokens; "" where none has a date."""
    listed = [price for price in moving(option) if not price.users_own]
    days = sorted(price.as_of for price in listed if price.as_of is not None)
    if not days:
        return ""
    dated = written_days(days[0], days[-1])
    return dated if len(days) == len(listed) else told("{days}, some without a date", days=dated)


def moving(option: Option) -> tuple[UsedPrice, ...]:
    """The prices of an option that markets move."""
    return tuple(price for price in option.prices if price.unit in _MOVING)


def telling_price(option: Option) -> UsedPrice | None:
    """The price that the typical case hangs on: of the device, or of the provider that is typical.

    None where it is the user's own.
    """
    listed = [price for price in moving(option) if not price.users_own]
    if option.name == "own":
        return listed[0] if listed else None
    title = say(option.title)
    named = [price for price in listed if _offer_of(price) in title]
    return min(named or listed, key=day_of_price, default=None)


def day_of_price(price: UsedPrice) -> date:
    """What prices are ordered by: those of no known day are the oldest."""
    return price.as_of or date.min


def _offer_of(price: UsedPrice) -> str:
    """Whose price it is: that of tokens ends with which tokens."""
    label = say(price.label)
    return label.rpartition(", ")[0] if price.unit == MILLION_TOKENS else label


def quality_in_words(kept: float) -> str:
    """What is kept, in percent, against the original."""
    if kept >= ALL_KEPT:
        return told("the same as the original")
    if kept >= 100 - VISIBLE_POINTS:
        return told("nobody sees a difference from the original")
    if kept >= _HARDLY:
        return told("a difference from the original hardly shows")
    if kept >= GOOD_PERCENT:
        return told("a small loss against the original")
    if kept >= _STANDS_OUT:
        return told("a loss that stands out against the original")
    return told("visibly damaged against the original")


def speed_in_words(tokens_per_s: float) -> str:
    """How fast it writes, against how fast people read."""
    times = tokens_per_s / READING_TOKENS_PER_S
    if times < 1:
        return told("slower than people read")
    if times < _AS_FAST:
        return told("about as fast as people read")
    return told("about {times:.0f} times as fast as people read", times=times)


def _newest(days: Iterable[str]) -> str:
    """ "evidence up to October 2025", or nothing."""
    found = [day for text in days if (day := _DAY.match(text))]
    if not found:
        return ""
    newest = max(found, key=lambda day: day[0])
    month = date(int(newest[1]), int(newest[2]), 1)
    return told("evidence up to {month}", month=written_month(month))
