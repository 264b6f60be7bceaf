"""What the first page says of money: the use it is for, and what is paid at once, a month, and over the years."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.answer.assess import priced_as
from advisor.answer.recommendation import Recommendation
from advisor.costs.costs import cost_of
from advisor.costs.money import MoneyRange
from advisor.costs.options import Option
from advisor.foundation.message import Span
from advisor.report.brief import Figure
from advisor.report.how_sure import days_of_money, of_money
from advisor.report.ways import upfront_of
from advisor.words import say, told


def load_of(found: Recommendation) -> str:
    """The use that the money is for."""
    load = found.asked.question.costs.load
    return told(
        "For {requests_per_day:exact} requests a day, each of {tokens_in:,} tokens in and {tokens_out:,} out: "
        "{tokens:count} tokens a month.",
        requests_per_day=load.requests_per_day,
        tokens_in=load.tokens_in,
        tokens_out=load.tokens_out,
        tokens=float(load.tokens_per_month),
    )


def money_of(found: Recommendation) -> Iterator[Figure]:
    """At once, a month, and over the years: of the way to go, else of the only one with a price."""
    option = found.option or (found.ways[0] if found.way is None and len(found.ways) == 1 else None)
    if found.way in (None, "own") and found.own is None:
        yield from _running(found)
    if option is None:
        return
    billing = found.asked.question.costs.billing
    sure, days, currency = of_money(option), days_of_money(option), billing.currency
    dated = told("prices of {days}", days=days) if days else ""
    label, monthly, total = _labels(option, found.option is None, billing.years)
    yield Figure(
        "upfront",
        label,
        *(_amounts(upfront_of(option), currency) if option.upfront else (told("nothing"), "")),
        words=told("to buy {what}", what=say(option.title, "report")) if option.upfront else "",
        confidence=sure if option.upfront else "",
        as_of=dated if option.upfront else "",
    )
    words = ""
    if option.upfront:
        words = told(
            "{running:money} {currency} of it month by month, the rest is the purchase less its resale",
            running=option.outlays[1].monthly,
            currency=currency,
        )
    yield Figure("month", monthly, *_amounts(option.monthly, currency), words=words, confidence=sure, as_of=dated)
    yield Figure(
        "total",
        total,
        *_amounts(option.total, currency),
        words=told("after resale") if option.resale else "",
        confidence=sure,
        as_of=dated,
    )


def _running(found: Recommendation) -> Iterator[Figure]:
    """What a machine without a price takes a month from whoever has it."""
    shown, hardware = found.about.shown, found.about.hardware
    if not found.runs or shown.costs is None or not hardware.installed:
        return
    inputs = shown.costs.inputs.with_values(device_price=0.0, host_price=0.0)
    model, devices = priced_as(found.about.entry), len(hardware.installed)
    own = cost_of(model, hardware.average_card, devices, shown.throughput, inputs, shown.costs.today).own
    if own is not None:
        yield Figure(
            "running",
            told("A month, if you have it"),
            *_amounts(own.monthly, inputs.billing.currency),
            words=told("to run it, without the purchase"),
            confidence=told("estimated"),
        )


def _labels(option: Option, named: bool, years: int) -> tuple[str, str, str]:
    """What is paid at once, a month and in all; `named` where the decision does not name the way."""
    if named and option.name == "api":
        return told("At once, by API"), told("A month, by API"), told("Over {years} years, by API", years=years)
    return told("At once"), told("A month"), told("Over {years} years", years=years)


def _amounts(amounts: MoneyRange, currency: str) -> tuple[str, str]:
    """The typical amount, and both ends where they differ."""
    typical = told("{amount:money} {currency}", amount=amounts.typical, currency=currency)
    if amounts.low == amounts.high:
        return typical, ""
    between = told("{range:span money} {currency}", range=Span(amounts.low, amounts.high), currency=currency)
    return typical, between
