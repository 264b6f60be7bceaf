"""Costs as tables. Amounts in short tables are words, to the cent; long ones hold numbers, so that people can sort."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pandas as pd

from advisor.costs.costs import Costs
from advisor.costs.money import EACH, MILLION_TOKENS, MoneyRange, UsedPrice
from advisor.costs.offer import Offer
from advisor.costs.options import Option
from advisor.costs.sensitivity import Sensitivity
from advisor.costs.series import paid_after
from advisor.costs.staircase import Crossing
from advisor.foundation.units import format_count
from advisor.ui.legend import MOST_CROSSINGS, NAMES, crossing_words, number
from advisor.ui.parts.price_seen import address, price_of
from advisor.ui.parts.text import plain
from advisor.words import say

_LOADS = (Decimal("0.1"), Decimal("0.5"), Decimal(1), Decimal(2), Decimal(10))  # times the planned one


def amount(value: Decimal, decimals: int = 2) -> str:
    """ "1,234.50"; what a million tokens cost has four decimals, a hundredth of a cent."""
    return f"{value:,.{decimals}f}".replace("-", "−")


def span(values: MoneyRange, decimals: int = 2) -> str:
    """ "23.14 to 53.63", or one amount where all are the same."""
    low, high = amount(values.low, decimals), amount(values.high, decimals)
    return low if low == high else f"{low} to {high}"


def bill_table(option: Option, currency: str) -> pd.DataFrame:
    """A typical month, line by line, with its sum."""
    rows = [(plain(say(line.label)), amount(line.amount), plain(say(line.how))) for line in option.bill]
    if len(rows) > 1:
        rows.append(("**Together**", f"**{amount(option.monthly.typical)}**", ""))
    return pd.DataFrame(rows, columns=["Item", f"{currency} a month", "How it is worked out"])


def paid_table(costs: Costs) -> pd.DataFrame:
    """What has been paid after each year, and after what is owned is sold again."""
    years = costs.inputs.billing.years
    rows = [
        {"After": _years(year)} | {NAMES[o.name]: amount(paid_after(o, 12 * year).typical) for o in costs.options}
        for year in range(1, years + 1)
    ]
    if costs.own is not None:
        sold = {NAMES[option.name]: amount(option.total.typical) for option in costs.options}
        rows.append({"After": f"{_years(years)} and resale"} | sold)
    if costs.discount_rate:
        worth = {NAMES[option.name]: amount(option.present.typical) for option in costs.options}
        rows.append({"After": f"Worth today, at {number(100 * costs.discount_rate)} % a year"} | worth)
    rows.append(
        {"After": "Low to high of the total"} | {NAMES[option.name]: span(option.total) for option in costs.options}
    )
    return pd.DataFrame(rows)


def years_table(by_years: Sequence[Costs]) -> pd.DataFrame:
    """A month and, in brackets, a million tokens, by how long it is used."""
    rows = []
    for costs in by_years:
        row = {"Used for": _years(costs.inputs.billing.years)}
        for option in costs.options:
            per_million = amount(option.per_million_tokens.typical, 4)
            row[NAMES[option.name]] = f"{amount(option.monthly.typical)} ({per_million})"
        rows.append(row)
    return pd.DataFrame(rows)


def load_table(costs: Costs, crossings: Sequence[Crossing]) -> pd.DataFrame:
    """A month at several loads, the planned one and the crossing points among them."""
    notes: dict[int, list[str]] = {max(1, int(costs.tokens_per_month * factor)): [] for factor in _LOADS}
    for crossing in crossings[:MOST_CROSSINGS]:
        notes.setdefault(crossing.tokens, []).append(crossing_words(crossing))
    notes[costs.tokens_per_month].insert(0, "your plan")
    return pd.DataFrame(
        [
            {"Tokens a month": format_count(tokens)}
            | {NAMES[option.name]: amount(option.typical.cost(tokens)) for option in costs.options}
            | {"Note": ", ".join(notes[tokens])}
            for tokens in sorted(notes)
        ]
    )


def sensitivity_table(sensitivities: Sequence[Sensitivity], currency: str) -> pd.DataFrame:
    """What owning saves a month when one input is half, and half as much again, and where it turns round."""
    return pd.DataFrame(
        [
            {
                "Input": plain(say(each.label)),
                "Planned": number(each.value),
                "Half of it": number(each.from_value),
                f"saves {currency}": amount(each.saves_from),
                "Half as much again": number(each.to_value),
                f"saves {currency} ": amount(each.saves_to),  # a table's columns need different names
                "Turns round": _turns(each),
            }
            for each in sensitivities
        ]
    )


def _turns(each: Sensitivity) -> str:
    """ "from 0.138 up: Own"; nothing where it does not."""
    ends = (("down", each.less), ("up", each.more))
    return "; ".join(f"from {number(flip.value)} {way}: {NAMES[flip.way]}" for way, flip in ends if flip) or "–"


def prices_table(prices: Sequence[UsedPrice]) -> pd.DataFrame:
    """Every price used, as its source states it."""
    return pd.DataFrame(
        [
            {
                "label": _priced_item(price)[0],
                "value": number(price.value),
                "unit": _unit(price),
                "flag": price_of(price),
                "age_days": price.age_days,
                "as_of": price.as_of,
                "checked": price.checked,
                "source": address(price.source),
            }
            for price in prices
        ]
    )


def _priced_item(price: UsedPrice) -> tuple[str, str]:
    """What costs so much, and for how much of it. Only the start of a long name is seen: kinds of tokens go last."""
    if price.unit == MILLION_TOKENS:
        name, _, kind = say(price.label).rpartition(", ")
        return name, f"million {kind} tokens"
    return say(price.label), say(price.unit)


def _unit(price: UsedPrice) -> str:
    unit = _priced_item(price)[1]
    if not price.currency:
        return unit or "–"
    return f"{price.currency} {unit}" if price.unit == EACH else f"{price.currency} per {unit}"


def closed_table(hosts: Sequence[Offer], tokens: int) -> pd.DataFrame:
    """Closed models for the planned load, with the day on which their prices were seen."""
    return pd.DataFrame(
        [
            {
                "model": say(host.title),
                "monthly": float(host.bill().cost(tokens)),
                "per_million": float(round(host.bill().per_token * 1_000_000, 4)),
                "input": float(host.prices[0].value),
                "output": float(host.prices[1].value),
                "flag": price_of(host.prices[0]),
                "as_of": host.prices[0].as_of,
                "checked": host.prices[0].checked,
                "source": address(host.prices[0].source),
            }
            for host in hosts
        ]
    )


def _years(count: int) -> str:
    return f"{count} year{'' if count == 1 else 's'}"
